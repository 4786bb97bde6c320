import { type CallOptions, codeOf, withDeadline } from '@holdfast/core/spec'
import { type Called, isFault } from '../vim25/faults.ts'
import type { Session } from '../vim25/session.ts'
import type { MoRef } from '../vim25/values.ts'
import { lostLease } from './lease-errors.ts'

/** How a lease is kept alive. */
export interface KeepAlive {
  readonly ref: MoRef<'HttpNfcLease'>
  /** After so many milliseconds without a word the host ends the lease. 0: it does not say. */
  readonly timeoutMs: number
  /** Generation of the session that the lease belongs to. */
  readonly generation: number
  /** 0 to 100. */
  percent(): number
  readonly called: Called
}

const longestPauseMs = 15_000

/** What the host did not refuse may be tried once more while the lease still lives. A host says `Timedout` of the lease itself. */
function mayPass(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'UNREACHABLE' || (code === 'TIMED_OUT' && !isFault(error, 'Timedout'))
}

/**
 * Tells the host again and again that the lease is wanted, whether bytes come or not. Ends by its signal alone, with its reason.
 * @throws PROVIDER_FAILED (retryable): the lease is lost, by a refusal, with its session, or because the host could not be told in time.
 *
 * Source: HttpNfcLeaseProgress, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.HttpNfcLease.html#progress
 */
export async function keepLeaseAlive(session: Session, keep: KeepAlive, { signal }: CallOptions): Promise<never> {
  const { clock } = session
  const timeoutMs = keep.timeoutMs > 0 ? keep.timeoutMs : 20 * longestPauseMs
  const pauseMs = Math.min(timeoutMs / 10, longestPauseMs)
  const pause = () => clock.sleep(pauseMs, { signal })
  let heard = clock.monotonic()
  const tell = async (): Promise<void> => {
    const told = clock.monotonic()
    // A call that hangs leaves time for others.
    const left = Math.max(pauseMs, Math.min(timeoutMs / 4, heard + timeoutMs - told))
    try {
      await withDeadline({ clock, milliseconds: left, name: 'HttpNfcLeaseProgress', signal }, (inner) =>
        session.call('HttpNfcLeaseProgress', keep.ref, { percent: keep.percent() }, inner),
      )
      heard = told
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (!mayPass(error)) throw lostLease(keep.called, 'the host does not keep it any more', error)
      if (clock.monotonic() - heard >= timeoutMs)
        throw lostLease(keep.called, 'the host could not be told in time that it is wanted', error)
    }
  }
  for (await pause(); ; ) {
    if (session.generation !== keep.generation) throw lostLease(keep.called, 'the session it belonged to has ended')
    // The pause begins with the call, not with its answer: a host that takes its time is told no more seldom.
    await Promise.all([tell(), pause()])
  }
}
