import {
  type ClusterStatus,
  clusterState,
  isStale,
  type NodeHistoryEntry,
  nodeHistory,
  nodeStatus,
  worstState,
} from '../../model/health.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { withDeadline } from '../../spec/helpers/index.ts'
import type { OutboxEvent } from '../../spec/store.ts'
import { softwareVersion } from '../../version.ts'
import type { EngineParts } from '../parts.ts'
import { type LastReport, type NextReport, nodeBack, nodeStale, ownTransitions } from './alerts.ts'
import { createCheckRunner } from './check-runner.ts'
import { clockCheck, nodeLooks, notifierChecks } from './looks.ts'
import { createStartCheck } from './start-check.ts'
import { waitingCheckName } from './waiting-look.ts'

/** Deadline of one check, and of each call to the store, milliseconds. */
const checkMs = 10_000

/** The health of this node, and what is known of all. */
export interface Health {
  /** The start of this node, watched: reports tell when it takes too long. */
  starting(start: Promise<void>): Promise<void>
  /** One round: looks at everything, tells what has changed, reports. Rejects when the store cannot be written; the next round tells it then. */
  run(options: CallOptions): Promise<void>
  /** All nodes as their last reports tell. Waits for the first report of this node if that is just being made. */
  status(details: boolean, options: CallOptions): Promise<ClusterStatus>
  /** Since `since`, milliseconds UTC on the store's clock. */
  history(node: string, since: number, options: CallOptions): Promise<readonly NodeHistoryEntry[]>
}

type InTime = <Result>(options: CallOptions, body: (options: CallOptions) => Promise<Result>) => Promise<Result>

export function createHealth(parts: EngineParts): Health {
  const { nodeStaleMs, nodeForgetMs, hostName } = parts
  const inTime: InTime = (options, body) => withDeadline({ ...options, clock: parts.clock, milliseconds: checkMs, name: 'The store' }, body)
  const teller = createTeller(parts, nodeStaleMs, inTime)
  const runner = createCheckRunner(parts.clock, nodeLooks(parts, parts.clockWatch), checkMs)
  const startCheck = createStartCheck(parts.clock)
  let underWay: Promise<void> | undefined

  const known = async (options: CallOptions): Promise<readonly LastReport[]> => {
    const all = await inTime(options, (limited) => parts.store.nodes.list(limited))
    return all.filter(({ node, age }) => node === parts.name || Math.abs(age) <= nodeForgetMs)
  }

  async function round(options: CallOptions): Promise<void> {
    const looked = (await runner.run(options)).filter(({ name, state }) => name !== waitingCheckName || state !== 'OK')
    const notifiers = notifierChecks(parts.notifiers, parts.stallMs)
    const checks = [...looked, clockCheck(parts.clockWatch), ...startCheck.checks(), ...notifiers]
    const next = { node: parts.name, state: worstState(checks.map((check) => check.state)), checks }
    await teller.tell(await known(options), next, options)
    const report = { ...next, version: softwareVersion, checks: checks.map((check) => ({ ...check })) }
    await inTime(options, (limited) => parts.store.nodes.report({ ...report, ...(hostName !== undefined && { hostName }) }, limited))
    teller.reported()
  }

  return {
    starting: startCheck.watch,
    async run(options) {
      underWay = round(options)
      try {
        await underWay
      } finally {
        underWay = undefined
      }
    },
    async status(details, options) {
      let reports = await known(options)
      const fresh = () => reports.some(({ node, age }) => node === parts.name && !isStale(age, nodeStaleMs))
      if (underWay && !fresh()) {
        await underWay.catch(() => undefined)
        reports = await known(options)
      }
      const nodes = reports.map((report) => nodeStatus(report, nodeStaleMs, details))
      return { state: clusterState(nodes.map((node) => node.state)), nodes }
    },
    async history(node, since, options) {
      const reports = []
      for await (const report of parts.store.nodes.history(node, since, options)) reports.push(report)
      const { now } = await parts.store.plans.due(0, options)
      return nodeHistory(reports, nodeStaleMs, now)
    },
  }
}

/** Puts what has changed into the outbox. */
function createTeller(parts: EngineParts, nodeStaleMs: number, inTime: InTime) {
  /** The last reports of nodes whose silence this process has told, by node, until they are back. */
  let missed: ReadonlyMap<string, LastReport> = new Map()
  /** When this process reported last, on the monotonic clock. */
  let reportedAt: number | undefined

  /** What others have done, or no longer do. */
  function newsOf(others: readonly LastReport[]): readonly OutboxEvent[] {
    return others.flatMap((report) => {
      const before = missed.get(report.node)
      if (before?.at === report.at) return []
      const back = before ? [nodeBack(before, report.at)] : []
      return isStale(report.age, nodeStaleMs) ? [...back, nodeStale(report)] : back
    })
  }

  return {
    async tell(reports: readonly LastReport[], next: NextReport, options: CallOptions): Promise<void> {
      const own = reports.find(({ node }) => node === next.node)
      const others = reports.filter(({ node }) => node !== next.node)
      const looksSilent = own !== undefined && isStale(own.age, nodeStaleMs)
      // A step of the store's clock makes every report look old; this process knows when it spoke.
      const spoke = reportedAt !== undefined && parts.clock.monotonic() - reportedAt <= nodeStaleMs
      // Who was silent itself knows nothing of the others yet: they were cut off as well, or the whole site was off. By the next round whoever lives
      // has reported.
      const blind = !own || looksSilent
      const now = own ? own.at + own.age : parts.clock.now()
      const occasion = { silent: looksSilent && !spoke, epoch: parts.identity().epoch, now }
      const news = [...ownTransitions(own, next, occasion), ...(blind ? [] : newsOf(others))]
      if (news.length > 0) await inTime(options, (limited) => parts.store.outbox.add(news, limited))
      if (blind) return
      const silent = others.filter(({ age }) => isStale(age, nodeStaleMs))
      missed = new Map(silent.map((report) => [report.node, report]))
    },
    reported() {
      reportedAt = parts.clock.monotonic()
    },
  }
}
