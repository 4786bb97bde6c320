import { type CallOptions, type Check, formatDuration } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { finding } from './findings.ts'

/** Snapshots are told apart by times that the host gives them. */
const mostSkewMs = 60_000

/** How far the clock of the host is from ours; half of the time that the question took is taken off. */
export async function readClockSkew({ session, clock }: Connection, options: CallOptions): Promise<number> {
  const before = clock.now()
  const told = Date.parse(await session.call('CurrentTime', { type: 'ServiceInstance', value: 'ServiceInstance' }, {}, options))
  return told - (before + clock.now()) / 2
}

export async function checkClock(connection: Connection, options: CallOptions): Promise<readonly Check[]> {
  const skewMs = Math.round(await readClockSkew(connection, options))
  const size = formatDuration(Math.abs(skewMs))
  const details = { skewMs }
  if (!(Math.abs(skewMs) > mostSkewMs)) return [finding('ok', 'clock', `The clock of the host is right within ${size}.`, details)]
  const side = skewMs > 0 ? 'ahead of' : 'behind'
  const message = `The clock of the host is ${size} ${side} the clock here: times of its snapshots are wrong. Set up NTP on both.`
  return [finding('warning', 'clock', message, details)]
}
