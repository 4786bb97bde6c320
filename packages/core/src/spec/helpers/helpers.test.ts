import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import type { ByteStream } from '../blocks.ts'
import type { Clock } from '../clock.ts'
import { HoldfastError } from '../errors.ts'
import {
  abortError,
  assertSafeName,
  assertSafePath,
  bytesOf,
  collectBytes,
  formatBytes,
  formatDuration,
  mapError,
  nearest,
  parseStrict,
  showValue,
  throwIfAborted,
  unknownKeys,
  withDeadline,
} from './index.ts'

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const signal = new AbortController().signal

describe('bytes', () => {
  it('go through a stream unchanged', async () => {
    expect(text(await collectBytes(bytesOf('grüß\0'), 100))).toBe('grüß\0')
    expect(await collectBytes(bytesOf(new Uint8Array([1, 2])), 2)).toEqual(new Uint8Array([1, 2]))
    expect(await collectBytes(bytesOf(''), 0)).toEqual(new Uint8Array(0))
  })

  const stream = (chunks: readonly string[], log: string[], recycle = new Uint8Array(4)): ByteStream => ({
    async *[Symbol.asyncIterator]() {
      for (const chunk of chunks) {
        new TextEncoder().encodeInto(chunk, recycle)
        log.push(chunk)
        yield recycle.subarray(0, chunk.length)
      }
    },
    async [Symbol.asyncDispose]() {
      log.push('disposed')
    },
  })

  it('are copied out of recycled buffers, and the stream is disposed', async () => {
    const log: string[] = []
    expect(text(await collectBytes(stream(['ab', 'cd', 'e'], log), 5))).toBe('abcde')
    expect(log).toEqual(['ab', 'cd', 'e', 'disposed'])
  })

  it('stop at the limit without reading on', async () => {
    const log: string[] = []
    await expect(collectBytes(stream(['ab', 'cd', 'e'], log), 3, 'a.json')).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: 'a.json is longer than 3 bytes',
    })
    expect(log).toEqual(['ab', 'cd', 'disposed'])
  })
})

/** A clock whose sleeps end when told. */
function handClock(): Clock & { sleeping: (() => void)[]; aborted: number } {
  const clock = {
    sleeping: [] as (() => void)[],
    aborted: 0,
    now: () => 0,
    monotonic: () => 0,
    sleep: (_: number, options: { readonly signal: AbortSignal }) =>
      new Promise<void>((resolve, reject) => {
        clock.sleeping.push(resolve)
        options.signal.addEventListener('abort', () => {
          clock.aborted++
          reject(options.signal.reason)
        })
      }),
  }
  return clock
}

describe('a deadline', () => {
  it('lets work through that is in time, and leaves no timer', async () => {
    const clock = handClock()
    expect(await withDeadline({ clock, signal, milliseconds: 5, name: 'it' }, async () => 7)).toBe(7)
    expect(clock.aborted).toBe(1)
    await expect(withDeadline({ clock, signal, milliseconds: 5, name: 'it' }, () => Promise.reject(new Error('own')))).rejects.toThrow(
      'own',
    )
    expect(clock.aborted).toBe(2)
  })

  it('aborts work that is late, and does not wait for it', async () => {
    const clock = handClock()
    let seen: AbortSignal | undefined
    const late = withDeadline({ clock, signal, milliseconds: 65_000, name: 'undo of x' }, (options) => {
      seen = options.signal
      return new Promise(() => {})
    })
    clock.sleeping[0]?.()
    await expect(late).rejects.toMatchObject({ code: 'TIMED_OUT', message: 'undo of x did not finish within 1 min 5 s', retryable: true })
    expect(seen?.aborted).toBe(true)
  })

  it('passes an abort from outside on', async () => {
    const outer = new AbortController()
    const waiting = withDeadline({ clock: handClock(), signal: outer.signal, milliseconds: 5, name: 'it' }, () => new Promise(() => {}))
    outer.abort(new Error('shutdown'))
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', message: 'The call was aborted: shutdown' })
    let called = false
    const never = withDeadline({ clock: handClock(), signal: outer.signal, milliseconds: 5, name: 'it' }, async () => {
      called = true
    })
    await expect(never).rejects.toMatchObject({ code: 'ABORTED' })
    expect(called).toBe(false)
  })

  it('tells why a signal was aborted', () => {
    const own = new HoldfastError('RUN_CANCELLED', 'somebody cancelled')
    expect(abortError(AbortSignal.abort(own))).toBe(own)
    expect(abortError(AbortSignal.abort())).toMatchObject({ code: 'ABORTED', message: 'The call was aborted' })
    expect(() => throwIfAborted(AbortSignal.abort('tired'))).toThrow('The call was aborted: tired')
    expect(throwIfAborted(signal)).toBeUndefined()
  })
})

describe('sizes and durations', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KiB'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [10 * 2 ** 20, '10 MiB'],
    [340.4 * 2 ** 20, '340 MiB'],
    [1023.9 * 2 ** 20, '1 GiB'],
    [2 ** 40, '1 TiB'],
    [2 ** 53, '8 PiB'],
    [2 ** 63, '8192 PiB'],
  ])('%d bytes are %s', (bytes, shown) => expect(formatBytes(bytes)).toBe(shown))
  it.each([
    [0, '0 ms'],
    [-5, '0 ms'],
    [999.4, '999 ms'],
    [999.6, '1 s'],
    [1240, '1.2 s'],
    [59_960, '1 min'],
    [125_000, '2 min 5 s'],
    [3_600_000, '1 h'],
    [11_520_000, '3 h 12 min'],
    [367_200_000, '4 d 6 h'],
  ])('%d ms are %s', (milliseconds, shown) => expect(formatDuration(milliseconds)).toBe(shown))
})

describe('names from elsewhere', () => {
  it.each(['disk-0.qcow2', 'web', 'Ünïcode 💾', 'a..b', 'x'.repeat(200), '-rf', 'a:b'])('takes %s', (name) => {
    expect(assertSafeName(name, 'item')).toBeUndefined()
    expect(assertSafePath(`1/${name}`, 'file')).toBeUndefined()
  })
  it.each(['', '.', '..', '.hidden', 'a/b', 'a\\b', 'a\0b', 'a\nb', 'end.', 'end ', 'x'.repeat(201), 'ü'.repeat(101), '\ud800'])(
    'refuses %j',
    (name) => {
      expect(() => assertSafeName(name, 'The item')).toThrow(HoldfastError)
    },
  )
  it.each(['', '/etc/passwd', '../x', 'a/../b', 'a//b', 'a/', './a', 'C:\\x'])('refuses the path %j', (path) => {
    expect(() => assertSafePath(path, 'The file')).toThrow(expect.objectContaining({ code: 'PATH_OUTSIDE' }))
  })
})

describe('errors at the edge', () => {
  it('keep a code of ours and get one otherwise', () => {
    const own = new HoldfastError('IN_USE', 'used')
    expect(mapError(own, 'INTERNAL', 'x')).toBe(own)
    const image = Object.assign(new Error('refused'), { code: 'UNSUPPORTED_FORMAT', retryable: false, details: { at: 3 } })
    expect(mapError(image, 'INTERNAL', 'x')).toMatchObject({
      code: 'UNSUPPORTED_FORMAT',
      message: 'refused',
      details: { at: 3 },
      cause: image,
    })
    const system = Object.assign(new Error('EIO at /secret'), { code: 'EIO' })
    expect(mapError(system, 'PROVIDER_FAILED', 'docker did not answer')).toMatchObject({
      code: 'PROVIDER_FAILED',
      message: 'docker did not answer',
      cause: system,
    })
    expect(mapError('text', 'INTERNAL', 'x', { retryable: true })).toMatchObject({ code: 'INTERNAL', cause: 'text', retryable: true })
    expect(mapError(Object.assign(new Error('x'), { code: 'toString' }), 'INTERNAL', 'y').code).toBe('INTERNAL')
  })
})

describe('options', () => {
  it('name the nearest word only if it is near', () => {
    expect(nearest('compresion', ['compression', 'workloads'])).toBe('compression')
    expect(nearest('ztsd', ['zstd', 'gzip'])).toBe('zstd')
    expect(nearest('Pause', ['pause', 'stop'])).toBe('pause')
    expect(nearest('foo', ['compression', 'kind'])).toBeUndefined()
    expect(nearest('', ['a'])).toBe('a')
    expect(nearest('x', [])).toBeUndefined()
  })

  const schema = z.strictObject({
    consistency: z.enum(['hot', 'paused', 'stopped']).default('hot'),
    hooks: z.array(z.strictObject({ argv: z.array(z.string()), timeoutMs: z.int().min(1) })).optional(),
    password: z.string().min(20).optional(),
    'odd key': z.number().optional(),
  })
  const message = (input: unknown): string => {
    try {
      return JSON.stringify(parseStrict(schema, input, 'docker options'))
    } catch (error) {
      return `${(error as Error).message} | ${(error as HoldfastError).remedy}`
    }
  }
  it.each([
    [{}, '{"consistency":"hot"}'],
    [
      { consistancy: 'hot' },
      'docker options: consistancy is not known here; known: consistency, hooks, password, odd key | Did you mean "consistency"?',
    ],
    [
      { hooks: [{ argv: [], timeoutMS: 1, timeoutMs: 1 }] },
      'docker options: hooks[0].timeoutMS is not known here; known: argv, timeoutMs | Did you mean "timeoutMs"?',
    ],
    [
      { hooks: [{ argv: [1] }] },
      'docker options: hooks[0].argv[0] is 1; expected string; hooks[0].timeoutMs is missing; expected number | Mend the value at the path shown.',
    ],
    [{ 'odd key': 'x' }, 'docker options: ["odd key"] is "x"; expected number | Mend the value at the path shown.'],
    [null, 'docker options: the value is null; expected object | Mend the value at the path shown.'],
  ])('%j', (input, expected) => expect(message(input)).toBe(expected))

  it('that no schema is written for have their strange keys told in the same words', () => {
    expect(unknownKeys({ file: 1, waitMS: 1 }, ['file', 'waitMs'])).toEqual([
      { path: 'waitMS', problem: 'is not known here; known: file, waitMs', meant: 'waitMs' },
    ])
    expect(unknownKeys({ path: 1 }, ['file'], { path: 'file' })).toMatchObject([{ path: 'path', meant: 'file' }])
    expect(unknownKeys({ toString: 1 }, ['file'], { path: 'file' })).toEqual([
      { path: 'toString', problem: 'is not known here; known: file' },
    ])
    expect(unknownKeys(undefined, ['file'])).toEqual([{ path: '', problem: 'is undefined; expected object' }])
  })

  it('hide what may be a secret', () => {
    expect(message({ password: 'hunter2' })).toContain('password is (hidden)')
    expect(showValue('https://me:hunter2@host/x')).toBe('"https://(hidden)@host/x"')
    expect(showValue('x'.repeat(500)).length).toBeLessThan(100)
    expect(showValue('hunter2', ['auth', 'x'])).toBe('(hidden)')
  })

  it('tell at most five mistakes', () => {
    expect(message({ a1: 1, b2: 1, c3: 1, d4: 1, e5: 1, f6: 1, g7: 1 })).toContain('; and 2 more')
  })
})
