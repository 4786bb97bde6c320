import type { NodeStore, ReplicationStore } from '@holdfast/core/spec'
import { addEvents } from './memory-outbox.ts'
import { plain } from './plain.ts'
import type { StoreContext, StoredReport } from './store-state.ts'

/** How long reports are kept, milliseconds: part of the contract. */
const historyMs = 7 * 86_400_000

export function memoryNodes(context: StoreContext): NodeStore {
  const { reports } = context.state
  return {
    report: (report, options) =>
      context.perform('nodes.report', options, () => {
        const previous = reports.findLast((entry) => entry.node === report.node)?.at
        const now = context.now()
        const recent = reports.filter((entry) => entry.at >= now - historyMs)
        reports.splice(0, reports.length, ...recent, plain({ ...report, at: now }))
        return { now, ...(previous !== undefined && { previous }) }
      }),
    list: (options) =>
      context.perform('nodes.list', options, () => {
        const now = context.now()
        const latest = new Map<string, StoredReport>()
        for (const report of reports) latest.set(report.node, report)
        const sorted = [...latest.values()].sort((left, right) => (left.node < right.node ? -1 : 1))
        return sorted.map((report) => ({ ...report, age: now - report.at }))
      }),
    history: (node, since, options) =>
      context.iterate('nodes.history', options, () => reports.filter((report) => report.node === node && report.at >= since)),
  }
}

export function memoryReplications(context: StoreContext): ReplicationStore {
  const { replications, timeline } = context.state
  return {
    get: (id, options) => context.perform('replications.get', options, () => replications.get(id)),
    list: (options) =>
      context.iterate('replications.list', options, () => [...replications.values()].sort((left, right) => (left.id < right.id ? -1 : 1))),
    put: (replication, entries, events, options) =>
      context.perform('replications.put', options, () => {
        if ((replications.get(replication.id)?.epoch ?? 0) !== replication.epoch) return false
        const epoch = replication.epoch + 1
        replications.set(replication.id, plain({ ...replication, epoch }))
        const at = context.now()
        for (const { id, event } of entries) {
          if (!timeline.has(id)) timeline.set(id, plain({ id, replicationId: replication.id, epoch, at, event }))
        }
        addEvents(context, events)
        return true
      }),
    timeline: (replicationId, options) =>
      context.iterate('replications.timeline', options, () =>
        [...timeline.values()].filter((entry) => entry.replicationId === replicationId),
      ),
  }
}
