import { describe, expect, it } from 'vitest'
import { type ClusterState, clusterState, type NodeState, nodeHistory, nodeStatus, worstState } from './health.ts'

/** Which states occur -> the cluster's. Written out by hand, so that the function is compared with words and not with itself. */
const table: readonly (readonly [readonly NodeState[], ClusterState])[] = [
  [[], 'Critical'],
  [['OK'], 'OK'],
  [['Warning'], 'Warning'],
  [['Error'], 'Critical'],
  [['Stale'], 'Critical'],
  [['OK', 'Warning'], 'Warning'],
  [['OK', 'Error'], 'Degraded'],
  [['OK', 'Stale'], 'Degraded'],
  [['Warning', 'Error'], 'Degraded'],
  [['Warning', 'Stale'], 'Degraded'],
  [['Error', 'Stale'], 'Critical'],
  [['OK', 'Warning', 'Error'], 'Degraded'],
  [['OK', 'Warning', 'Stale'], 'Degraded'],
  [['OK', 'Error', 'Stale'], 'Degraded'],
  [['Warning', 'Error', 'Stale'], 'Degraded'],
  [['OK', 'Warning', 'Error', 'Stale'], 'Degraded'],
]
const all: readonly NodeState[] = ['OK', 'Warning', 'Error', 'Stale']

describe('the state of the cluster', () => {
  it('has a row for each set of states', () => {
    expect(new Set(table.map(([states]) => states.join())).size).toBe(2 ** all.length)
  })
  for (const [states, expected] of table)
    it(`of ${states.join(', ') || 'no node'} is ${expected}`, () => expect(clusterState(states)).toBe(expected))

  it('depends on which states occur, not on how many nodes have them nor on their order', () => {
    const lists = (length: number): NodeState[][] =>
      length === 0 ? [[]] : lists(length - 1).flatMap((list) => all.map((state) => [...list, state]))
    let looked = 0
    for (const list of [1, 2, 3, 4].flatMap(lists)) {
      const present = all.filter((state) => list.includes(state))
      const row = table.find(([states]) => states.join() === present.join())
      expect(clusterState(list), list.join()).toBe(row?.[1])
      looked++
    }
    expect(looked).toBe(4 + 16 + 64 + 256)
  })
})

describe('the worst state', () => {
  it('is the worst of all, and OK of none', () => {
    expect(worstState([])).toBe('OK')
    expect(worstState(['OK', 'Warning', 'OK'])).toBe('Warning')
    expect(worstState(['Error', 'Warning', 'OK'])).toBe('Error')
  })
})

const check = { name: 'store', state: 'OK', message: 'It answers.', durationMs: 2 } as const
const report = { node: 'a', state: 'Warning', version: '1.2.3', hostName: 'backup1', checks: [check], at: 1_000_000, age: 5_000 } as const

describe('the status of a node', () => {
  it('shows host name, checks and what it reported only with details', () => {
    const plain = { node: 'a', state: 'Warning', lastReport: '1970-01-01T00:16:40.000Z', ageMs: 5_000, version: '1.2.3' }
    expect(nodeStatus(report, 120_000, false)).toEqual(plain)
    expect(nodeStatus(report, 120_000, true)).toEqual({ ...plain, hostName: 'backup1', reported: 'Warning', checks: [check] })
  })
  it('is Stale when the report is older than the limit, and no earlier', () => {
    expect(nodeStatus({ ...report, age: 120_000 }, 120_000, false).state).toBe('Warning')
    expect(nodeStatus({ ...report, age: 120_001 }, 120_000, true)).toMatchObject({ state: 'Stale', reported: 'Warning' })
  })
  it('is Stale when the report lies far in the future: the clock was set back', () => {
    expect(nodeStatus({ ...report, age: -120_000 }, 120_000, false).state).toBe('Warning')
    expect(nodeStatus({ ...report, age: -120_001 }, 120_000, false).state).toBe('Stale')
  })
  it('leaves checks out that it does not understand', () => {
    expect(nodeStatus({ ...report, checks: { other: 'version' } }, 120_000, true).checks).toEqual([])
    expect(nodeStatus({ ...report, checks: [{ ...check, more: 1 }] }, 120_000, true).checks).toEqual([check])
  })
})

describe('the history of a node', () => {
  const at = (time: number, state: 'OK' | 'Error' = 'OK') => ({ node: 'a', state, version: '1', checks: [check], at: time })
  const states = (entries: ReturnType<typeof nodeHistory>) => entries.map((entry) => [Date.parse(entry.at), entry.state])

  it('gives each report', () => {
    const entries = nodeHistory([at(0), at(30), at(60, 'Error')], 120, 90)
    expect(entries[2]).toEqual({ at: '1970-01-01T00:00:00.060Z', state: 'Error', version: '1', checks: [check] })
    expect(states(entries)).toEqual([
      [0, 'OK'],
      [30, 'OK'],
      [60, 'Error'],
    ])
  })
  it('is Stale wherever the node was silent for too long, also now', () => {
    expect(states(nodeHistory([at(0), at(500), at(530)], 120, 651))).toEqual([
      [0, 'OK'],
      [120, 'Stale'],
      [500, 'OK'],
      [530, 'OK'],
      [650, 'Stale'],
    ])
    expect(states(nodeHistory([at(0)], 120, 120))).toEqual([[0, 'OK']])
  })
})
