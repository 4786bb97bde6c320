import { describe, expect, it } from 'vitest'
import { codeOf } from '../spec/errors.ts'
import type { Run } from '../spec/store.ts'
import { operations, parseRunInput, runInputJsonSchema } from './run-input.ts'
import { assertRunView, runView, runViewJsonSchema } from './run-view.ts'

const workload = { provider: 'docker', id: 'shop-db' }
const point = '20261120T020000Z-0123456789abcdef'

describe('what a run is to do', () => {
  it.each([
    [
      { operation: 'backup', repository: 'main', workload },
      { operation: 'backup', repository: 'main', workload, options: {}, compression: 'zstd' },
    ],
    [
      { operation: 'restore', workload, name: 'shop-db-2' },
      { operation: 'restore', workload, name: 'shop-db-2', point: 'latest', purpose: 'recover', start: false, options: {} },
    ],
    [
      { operation: 'verify', repository: 'main' },
      { operation: 'verify', repository: 'main', mode: 'full' },
    ],
    [
      { operation: 'prune', repository: 'main', points: [point] },
      { operation: 'prune', repository: 'main', points: [point] },
    ],
    [
      { operation: 'rescan', repository: 'main', takeOver: 'abc' },
      { operation: 'rescan', repository: 'main', takeOver: 'abc' },
    ],
  ])('fills in its defaults, and parses to itself: %j', (input, expected) => {
    const parsed = parseRunInput(input)
    expect(parsed).toEqual(expected)
    expect(parseRunInput(parsed)).toEqual(parsed)
  })

  it.each([
    [{ operation: 'bakup' }, 'operation is "bakup"; allowed: "backup", "restore", "verify", "prune", "merge", "copy", "rescan"'],
    [{}, 'operation is missing'],
    [{ operation: 'prune', repository: 'main', points: [] }, 'points is a list of 0: name at least one point'],
    [{ operation: 'prune', repository: 'main', points: ['latest'] }, 'points[0] is "latest": expected the id of a point'],
    [{ operation: 'verify', repository: 'main', points: [] }, 'points is a list of 0: name at least one point'],
    [{ operation: 'verify', repository: 'main', sample: 0 }, 'sample is 0: expected a whole number, 1 or more'],
    [{ operation: 'rescan', repository: 'main', takeOver: '' }, 'takeOver is "": expected the storeId of the owner, or "damaged"'],
    [{ operation: 'verify', repository: 'main', mode: 'fast' }, 'mode is "fast"; allowed: "quick", "full"'],
    [{ operation: 'restore', workload, point: 'newest' }, 'point is "newest": expected "latest" or the id of a point'],
    [{ operation: 'restore', workload, purpose: 'replica' }, 'purpose is "replica"; allowed: "recover", "test"'],
    [{ operation: 'restore', workload, name: 'a', target: 'b' }, 'name is given, but so is target "b"'],
    [{ operation: 'restore', workload, purpose: 'test', target: 'b' }, 'a test restore never touches what is there'],
    [{ operation: 'restore', workload, probe: {} }, 'only a restore with purpose "test" is probed'],
    [{ operation: 'rescan', repository: 'main', takeover: 'x' }, 'takeover is not known here; known: operation, repository, takeOver'],
    ['backup', 'is "backup"; expected object'],
  ])('refuses %j', (input, message) => {
    try {
      parseRunInput(input)
      expect.fail('it was taken')
    } catch (error) {
      expect(codeOf(error)).toBe('INVALID_OPTIONS')
      expect((error as Error).message).toContain(message)
    }
  })

  it('has a JSON Schema for each operation', () => {
    const schema = runInputJsonSchema() as { oneOf?: unknown[]; anyOf?: unknown[] }
    expect(schema.oneOf ?? schema.anyOf).toHaveLength(operations.length)
  })
})

describe('a run as it is shown', () => {
  const run: Run = {
    id: 'r1',
    key: 'nightly/docker/shop-db/1',
    operation: 'backup',
    planId: 'nightly',
    workload: 'docker/shop-db',
    dueAt: Date.UTC(2026, 10, 20, 2),
    notBefore: Date.UTC(2026, 10, 20, 2, 1),
    delay: 0,
    priority: 0,
    maxFailures: 3,
    needs: [],
    resources: [],
    input: {},
    state: 'running',
    attempt: 2,
    failures: 1,
    worker: 'node-1',
    leaseUntil: 5,
    reads: [],
    intents: [
      { id: 'a', attempt: 1, provider: 'docker', kind: 'remove-volume', data: {}, kept: false, until: 9 },
      { id: 'b', attempt: 2, provider: 'docker', kind: 'remove-volume', data: {}, kept: false },
    ],
    error: { code: 'STALLED', message: 'no bytes', remedy: 'check', retryable: true },
  }

  it('is plain data that its JSON Schema describes', () => {
    const progress = { text: 'reading', bytes: 5, totalBytes: 10, bytesPerSecond: 1, millisecondsLeft: 5000, elapsedMs: 5000 }
    const view = runView(run, progress)
    expect(view).toMatchObject({ plan: 'nightly', due: '2026-11-20T02:00:00.000Z', openIntents: 1, progress, error: { code: 'STALLED' } })
    expect(JSON.parse(JSON.stringify(view))).toEqual(view)
    assertRunView(view)
    assertRunView(runView({ ...run, state: 'succeeded', result: { point } }))
    expect(runViewJsonSchema()).toMatchObject({ type: 'object', additionalProperties: false })
  })
})
