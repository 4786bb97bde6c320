import { describe, expect, it } from 'vitest'
import { systemClock } from './clock.ts'
import { randomIds } from './ids.ts'
import { consoleLogger, silentLogger } from './logger.ts'

describe('the real clock', () => {
  it('tells the time and never goes back', () => {
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(5000)
    const before = systemClock.monotonic()
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(before)
  })

  it('sleeps at least as long as asked, and not after an abort', async () => {
    const before = systemClock.monotonic()
    await systemClock.sleep(20, { signal: new AbortController().signal })
    expect(systemClock.monotonic() - before).toBeGreaterThanOrEqual(19)
    const reason = new Error('enough')
    await expect(systemClock.sleep(0, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const waiting = systemClock.sleep(2 ** 40, { signal: controller.signal })
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
  })
})

describe('identifiers', () => {
  it('are safe in names and do not repeat', () => {
    const ids = Array.from({ length: 20_000 }, () => randomIds.next())
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.every((id) => /^[a-z2-7]{20}$/.test(id))).toBe(true)
    expect(new Set(ids.join('')).size).toBe(32)
  })
})

describe('the logger', () => {
  const clock = { now: () => Date.UTC(2026, 10, 20) }
  it('writes one JSON object per line', () => {
    const lines: string[] = []
    const logger = consoleLogger({ write: (line) => lines.push(line), clock, format: 'json', level: 'debug' })
    logger.debug('a\nb', { run: 'r1', level: 'forged' })
    expect(lines).toHaveLength(1)
    expect(lines[0]?.endsWith('}\n')).toBe(true)
    expect(JSON.parse(lines[0] ?? '')).toEqual({ time: '2026-11-20T00:00:00.000Z', level: 'debug', message: 'a\nb', run: 'r1' })
  })

  it('writes text that nobody can forge', () => {
    const lines: string[] = []
    const logger = consoleLogger({ write: (line) => lines.push(line), clock })
    logger.debug('dropped')
    logger.info('started', { plan: 'nightly', count: 2 })
    logger.error('volume "a\n2026 INFO all is well\u001b[2K\u009b"')
    expect(lines).toEqual([
      '2026-11-20T00:00:00.000Z INFO  started plan="nightly" count=2\n',
      '2026-11-20T00:00:00.000Z ERROR volume "a\\u000a2026 INFO all is well\\u001b[2K\\u009b"\n',
    ])
  })

  it('does not throw when it cannot write, and can be silent', () => {
    const write = (): never => {
      throw new Error('disk full')
    }
    expect(consoleLogger({ write, clock }).warn('x')).toBeUndefined()
    expect(silentLogger.error('x')).toBeUndefined()
  })
})
