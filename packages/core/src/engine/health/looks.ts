import type { NodeCheck } from '../../model/health.ts'
import { worstState } from '../../model/health.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import type { Check } from '../../spec/check.ts'
import { formatDuration } from '../../spec/helpers/index.ts'
import type { EngineParts } from '../parts.ts'
import { readOwnership } from '../points/ownership.ts'
import type { Look, Verdict } from './check-runner.ts'
import type { ClockWatch } from './clock-watch.ts'
import type { WatchedNotifier } from './notifier-watch.ts'
import { undoLook } from './undo-look.ts'
import { waitingLook } from './waiting-look.ts'

/** Everything that may hang: what this node needs from elsewhere. */
export function nodeLooks(parts: EngineParts, watch: ClockWatch): readonly Look[] {
  const repositories = [...parts.repositories].map(
    ([name, repository]): Look => ({
      name: `repository ${name}`,
      async look(options) {
        const found = verdictOf(await repository.check(options))
        return found.state === 'Error' ? found : await withOwner(parts, name, found, options)
      },
    }),
  )
  const providers = [...parts.providers].map(
    ([name, provider]): Look => ({
      name: `provider ${name}`,
      look: async (options) => verdictOf(await provider.check(options)),
    }),
  )
  return [storeLook(parts, watch), ...repositories, ...providers, undoLook(parts), waitingLook(parts)]
}

function storeLook(parts: EngineParts, watch: ClockWatch): Look {
  return {
    name: 'store',
    async look(options) {
      const from = parts.clock.monotonic()
      const { now } = await parts.store.plans.due(0, options)
      watch.show(now, from, parts.clock.monotonic())
      return { state: 'OK', message: 'It answers.' }
    },
  }
}

const states = { ok: 'OK', warning: 'Warning', error: 'Error' } as const

/** What a plug-in found, in one line: what is wrong, otherwise everything. */
export function verdictOf(findings: readonly Check[]): Verdict {
  const state = worstState(findings.map(({ status }) => states[status]))
  const told = findings.filter(({ status }) => state === 'OK' || status !== 'ok')
  return { state, message: told.map(({ message }) => message).join('; ') || 'It answers.' }
}

async function withOwner(parts: EngineParts, name: string, found: Verdict, options: CallOptions): Promise<Verdict> {
  const ownership = await readOwnership(parts, name, options)
  if (ownership.state === 'ours') return found
  if (ownership.state === 'new') return { ...found, message: `Nothing was stored here yet; ${found.message}` }
  if (ownership.state === 'missing')
    return { state: 'Error', message: 'There is no repository.json, but the catalog knows points here: it is probably not mounted.' }
  return { state: 'Warning', message: `It is owned by another catalog, ${ownership.file.owner}: it can be read, not changed.` }
}

/** These ask nobody, so they need no deadline. */
export function clockCheck(watch: ClockWatch): NodeCheck {
  const away = watch.away()
  const told = [
    ...(away.host === 0 ? [] : [`The clock of this host has jumped by ${signed(away.host)}.`]),
    ...(away.store === 0 ? [] : [`The clock of the store has jumped by ${signed(away.store)}.`]),
  ]
  const check = { name: 'clock', durationMs: 0 } as const
  if (told.length === 0) return { ...check, state: 'OK', message: 'It goes on evenly.' }
  const remedy =
    'Nothing is deleted because of its age until it is set right. If it is right now: engine.confirmClock(), or start this node again.'
  return { ...check, state: 'Error', message: `${told.join(' ')} ${remedy}` }
}

const signed = (milliseconds: number): string => `${milliseconds < 0 ? '-' : '+'}${formatDuration(Math.abs(milliseconds))}`

/** One check for each notifier. Backups go on without it, so it is never worse than `Warning`. */
export function notifierChecks(notifiers: ReadonlyMap<string, WatchedNotifier>, patienceMs: number): readonly NodeCheck[] {
  return [...notifiers].map(([name, notifier]) => {
    const trouble = notifier.trouble(patienceMs)
    const check = { name: `notifier ${name}`, durationMs: 0 }
    if (!trouble) return { ...check, state: 'OK', message: 'Nothing waits to be delivered after a failure.' }
    const since = formatDuration(trouble.forMs)
    const message =
      trouble.message === undefined
        ? `A delivery has been going on for ${since}.`
        : `Nothing could be delivered for ${since} (${trouble.failures} tries): ${trouble.message}`
    return { ...check, state: 'Warning', message }
  })
}
