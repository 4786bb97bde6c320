import assert from 'node:assert/strict'
import { bytesOf, codeOf, collectBytes, pullFrom, type Repository } from '@holdfast/core/spec'
import { describe, expect, it } from 'vitest'
import { collectingRunner } from '../collecting-runner.ts'
import { type MemoryRepository, memoryRepository } from '../memory-repository.ts'
import { repositoryContract } from './repository-contract.ts'

/** Each breaks one promise of a repository that keeps all others. */
const broken: {
  readonly [mistake: string]: { readonly caughtBy: string; readonly breakIt: (sound: MemoryRepository) => Partial<Repository> }
} = {
  'overwrites a taken name': {
    caughtBy: 'put > with ifAbsent refuses a taken name and leaves what is there',
    breakIt: (sound) => ({ put: (path, bytes, { ifAbsent: _, ...options }) => sound.put(path, bytes, options) }),
  },
  'takes an empty file for a free name': {
    caughtBy: 'put > with ifAbsent refuses the name of an empty file: a dead number stays dead',
    breakIt: (sound) => ({
      put: (path, bytes, { ifAbsent, ...options }) =>
        sound.put(path, bytes, { ...options, ifAbsent: ifAbsent === true && sound.snapshot().get(path)?.length !== 0 }),
    }),
  },
  'looks first and creates later': {
    caughtBy: 'races > lets one of twenty racing creations win, and all others know',
    breakIt: (sound) => ({
      async put(path, bytes, { ifAbsent, ...options }) {
        if (ifAbsent && sound.snapshot().has(path)) return sound.put(path, bytes, { ...options, ifAbsent })
        return sound.put(path, bytes, options)
      },
    }),
  },
  'shows a file before it is whole': {
    caughtBy: 'put whole > shows a file only when it is whole',
    breakIt: (sound) => ({
      async put(path, bytes, options) {
        if (options.ifAbsent) await sound.put(path, bytesOf('half'), options)
        return sound.put(path, bytes, { signal: options.signal, ...(options.size !== undefined && { size: options.size }) })
      },
    }),
  },
  'keeps what a broken stream gave': {
    caughtBy: 'put whole > rejects with the error of its stream and shows nothing of it',
    breakIt: (sound) => ({
      put: (path, bytes, options) =>
        sound.put(path, bytes, options).catch(async (error: unknown) => {
          if (codeOf(error) === undefined) await sound.put(path, bytesOf('half'), { signal: options.signal })
          throw error
        }),
    }),
  },
  'ignores the declared size': {
    caughtBy: 'put whole > refuses a stream that is shorter or longer than declared',
    breakIt: (sound) => ({ put: (path, bytes, { size: _, ...options }) => sound.put(path, bytes, options) }),
  },
  'keeps chunks that were only lent': {
    caughtBy: 'put > copies a chunk before it asks for the next',
    breakIt: (sound) => ({
      async put(path, bytes, options) {
        const chunks: Uint8Array[] = []
        const pull = pullFrom(bytes, options)
        for (let chunk = await pull.next(); chunk; chunk = await pull.next()) chunks.push(chunk)
        return sound.put(path, bytesOf(Buffer.concat(chunks)), options)
      },
    }),
  },
  'drops empty files': {
    caughtBy: 'put > keeps an empty file',
    breakIt: (sound) => ({
      async put(path, bytes, options) {
        if (options.size === 0) return { size: 0 }
        return sound.put(path, bytes, options)
      },
    }),
  },
  'gives nothing instead of NOT_FOUND': {
    caughtBy: 'open > proves absence with NOT_FOUND',
    breakIt: (sound) => ({
      async open(path, options) {
        if (sound.snapshot().has(path)) return sound.open(path, options)
        const empty = memoryRepository()
        await empty.put('empty', bytesOf(''), options)
        return empty.open('empty', options)
      },
    }),
  },
  'gives the byte at the end of a range too': {
    caughtBy: 'open > streams from start up to, not including, end',
    breakIt: (sound) => ({
      async open(path, options) {
        const file = await sound.open(path, options)
        return { ...file, stream: ({ start, end }, call) => file.stream({ start, end: Math.min(file.size, end + 1) }, call) }
      },
    }),
  },
  'cuts a read at the end of the file in silence': {
    caughtBy: 'open > refuses to read beyond the end instead of giving fewer bytes',
    breakIt: (sound) => ({
      async open(path, options) {
        const file = await sound.open(path, options)
        const readInto: typeof file.readInto = (target, offset, call) =>
          file.readInto(target.subarray(0, Math.max(0, file.size - offset)), offset, call)
        return { ...file, readInto, stream: ({ start, end }, call) => file.stream({ start, end: Math.min(file.size, end) }, call) }
      },
    }),
  },
  'takes a prefix for the beginning of a name': {
    caughtBy: 'list > takes a folder for a folder, not for the beginning of a name',
    breakIt: (sound) => ({
      async *list(prefix, options) {
        for await (const entry of sound.list('', options)) if (entry.path.startsWith(prefix.replace(/\/$/, ''))) yield entry
      },
    }),
  },
  'calls a second delete a failure': {
    caughtBy: 'delete > takes what is gone already for success',
    breakIt: (sound) => ({
      async delete(path, options) {
        if (!path.endsWith('/')) await sound.open(path, options)
        await sound.delete(path, options)
      },
    }),
  },
  'deletes neighbours whose name begins the same': {
    caughtBy: 'delete > with a slash at the end removes everything below, at any depth',
    breakIt: (sound) => ({
      async delete(path, options) {
        const start = path.replace(/\/$/, '')
        const names = path.endsWith('/') ? [...sound.snapshot().keys()].filter((name) => name.startsWith(start)) : [path]
        for (const name of names) await sound.delete(name, options)
        await sound.delete(path, options)
      },
    }),
  },
  'follows a path out of its folder': {
    caughtBy: 'paths > refuses every path that could leave the repository or be read in two ways',
    breakIt: (sound) => ({
      put: (path, bytes, options) => sound.put(path.replaceAll('../', '') || 'x', bytes, options),
    }),
  },
  'hangs when its stream hangs': {
    caughtBy: 'abort > gives up a put at once, even if its stream hangs, and shows nothing of it',
    breakIt: (sound) => ({
      async put(path, bytes, options) {
        const whole = collectBytes(bytes, 1 << 30)
        const late = new Promise<never>((_, reject) => setTimeout(reject, 50, new Error('it hangs')).unref())
        return sound.put(path, bytesOf(await Promise.race([whole, late])), options)
      },
    }),
  },
  'leaves aliases that lead nowhere': {
    caughtBy: 'alias > goes before its target',
    breakIt: (sound) => {
      const aliases = new Set<string>()
      return {
        async alias(path, target, options) {
          await sound.alias?.(path, target, options)
          aliases.add(path)
        },
        async put(path, bytes, options) {
          if (options.ifAbsent && aliases.has(path)) throw Object.assign(new Error('taken'), { code: 'EXISTS' })
          return sound.put(path, bytes, options)
        },
      }
    },
  },
}

describe('the repository contract', () => {
  it('passes a sound repository', async () => {
    for (const { name, error } of await runSuite(() => ({}))) assert.equal(error, undefined, name)
  })

  for (const [mistake, { caughtBy, breakIt }] of Object.entries(broken)) {
    it(`catches a repository that ${mistake}`, async () => {
      const failed = (await runSuite(breakIt)).filter(({ error }) => error !== undefined).map(({ name }) => name)
      expect(failed).toContain(caughtBy)
    })
  }
})

async function runSuite(breakIt: (sound: MemoryRepository) => Partial<Repository>) {
  const { runner, results } = collectingRunner()
  repositoryContract({
    ...runner,
    abilities: { alias: true, createIfAbsent: 'atomic' },
    async create() {
      const sound = memoryRepository()
      return { repository: { ...sound, ...breakIt(sound) }, [Symbol.asyncDispose]: async () => undefined }
    },
  })
  return results()
}
