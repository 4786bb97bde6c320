import * as z from 'zod'
import type { Json } from '../spec/json.ts'
import type { NodeReport, StoreTime } from '../spec/store.ts'
import { isoTime } from './names.ts'

/** How a node is. `Stale`: its last report is too old to be believed. */
export type NodeState = 'OK' | 'Warning' | 'Error' | 'Stale'
/** How all nodes of one store are together. */
export type ClusterState = 'OK' | 'Warning' | 'Degraded' | 'Critical'

/** One thing that a node has looked at. JSON. */
export interface NodeCheck {
  /** What was looked at, the same in every report: `store`, `repository main`. */
  readonly name: string
  /** `Error`: work that needs it fails now. `Warning`: it soon may, or somebody should look at it. */
  readonly state: 'OK' | 'Warning' | 'Error'
  /** What was found, in words. */
  readonly message: string
  /** How long the look took, milliseconds. */
  readonly durationMs: number
}

/** One node as `engine.status()` shows it. JSON. */
export interface NodeStatus {
  /** `createEngine({ name })`. */
  readonly node: string
  readonly state: NodeState
  /** When it reported last, ISO 8601 UTC on the store's clock. */
  readonly lastReport: string
  /** Milliseconds since then. */
  readonly ageMs: number
  /** Of the software. */
  readonly version: string
  /** `createEngine({ hostName })`. Only with details. */
  readonly hostName?: string
  /** What it said of itself in its last report; differs from `state` when it is stale. Only with details. */
  readonly reported?: 'OK' | 'Warning' | 'Error'
  /** Of the last report. Only with details. */
  readonly checks?: readonly NodeCheck[]
}

/** What `engine.status()` gives. JSON. */
export interface ClusterStatus {
  readonly state: ClusterState
  /** By name. */
  readonly nodes: readonly NodeStatus[]
}

/** One entry of a node's history: it was in `state` from `at` until the next entry. JSON. */
export interface NodeHistoryEntry {
  /** ISO 8601 UTC. */
  readonly at: string
  readonly state: NodeState
  /** Absent where the node is `Stale`: it said nothing. */
  readonly version?: string
  /** Absent where the node is `Stale`. */
  readonly checks?: readonly NodeCheck[]
}

/** Nobody is well: `Critical`. Somebody is not: `Degraded`. Somebody may soon not be: `Warning`. Without any node `Critical`: nobody is known to be well. */
export function clusterState(states: readonly NodeState[]): ClusterState {
  const has = (...wanted: readonly NodeState[]) => states.some((state) => wanted.includes(state))
  if (!has('OK', 'Warning')) return 'Critical'
  if (has('Error', 'Stale')) return 'Degraded'
  return has('Warning') ? 'Warning' : 'OK'
}

const rank = { OK: 0, Warning: 1, Error: 2 } as const

/** The worst of some states; `OK` of none. */
export function worstState(states: readonly ('OK' | 'Warning' | 'Error')[]): 'OK' | 'Warning' | 'Error' {
  return states.reduce((worst, state) => (rank[state] > rank[worst] ? state : worst), 'OK')
}

/** A report from the future is as stale as an old one: the store's clock was set back, and nobody can say how old it is. */
export function isStale(ageMs: number, staleMs: number): boolean {
  return Math.abs(ageMs) > staleMs
}

/** A node as its last report and the age of it tell. */
export function nodeStatus(
  report: NodeReport & { readonly at: StoreTime; readonly age: number },
  staleMs: number,
  details: boolean,
): NodeStatus {
  return {
    node: report.node,
    state: isStale(report.age, staleMs) ? 'Stale' : report.state,
    lastReport: isoTime(report.at),
    ageMs: report.age,
    version: report.version,
    ...(details && {
      ...(report.hostName !== undefined && { hostName: report.hostName }),
      reported: report.state,
      checks: checksOf(report.checks),
    }),
  }
}

/**
 * Reports of one node, oldest first, and between them an entry `Stale` wherever it was silent for longer than `staleMs`: also after the last one, if
 * `now` (milliseconds UTC on the store's clock) is that far away.
 */
export function nodeHistory(
  reports: readonly (NodeReport & { readonly at: StoreTime })[],
  staleMs: number,
  now: StoreTime,
): readonly NodeHistoryEntry[] {
  return reports.flatMap((report, index) => {
    const { at, state, version } = report
    const silence = (reports[index + 1]?.at ?? now) - at
    const entry: NodeHistoryEntry = { at: isoTime(at), state, version, checks: checksOf(report.checks) }
    return silence > staleMs ? [entry, { at: isoTime(at + staleMs), state: 'Stale' as const }] : [entry]
  })
}

const checksSchema = z.array(
  z.object({ name: z.string(), state: z.enum(['OK', 'Warning', 'Error']), message: z.string(), durationMs: z.number() }),
)

/** Checks as they were stored, by any version of this software: what is not understood is left out, because a status page must always come. */
function checksOf(stored: Json): readonly NodeCheck[] {
  const parsed = checksSchema.safeParse(stored)
  return parsed.success ? parsed.data : []
}
