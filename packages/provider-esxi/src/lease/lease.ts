import { type CallOptions, codeOf, throwIfAborted } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { type Called, isFault } from '../vim25/faults.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { tidily } from '../vim25/session.ts'
import type { Observed } from '../vim25/updates.ts'
import type { Data, MoRef } from '../vim25/values.ts'
import { type DeviceUrl, readDeviceUrl } from './device-url.ts'
import { keepLeaseAlive } from './keep-alive.ts'
import { leaseFault, lostLease, whyFailed } from './lease-errors.ts'

/** What the host says of one file that passed: to be compared with what came or went. */
export type ManifestEntry = Data<'HttpNfcLeaseManifestEntry'>

/** How a lease is opened. */
export interface LeaseOptions extends CallOptions {
  /** What people call the machine, for errors. */
  readonly name: string
}

/**
 * The right to read or write the disks of a machine, while it is held. It is kept alive without a word from its holder. Disposing gives it up (of an import:
 * the host then removes what was made), unless it was completed; it waits for at most some seconds and never rejects.
 */
export interface Lease extends AsyncDisposable {
  readonly ref: MoRef<'HttpNfcLease'>
  /** The machine that is read, or that is being made. */
  readonly entity: MoRef
  readonly urls: readonly DeviceUrl[]
  /** Bytes of all disks, where the host says so; otherwise 0. */
  readonly totalBytes: number
  /** Aborts when the lease is lost, with a retryable PROVIDER_FAILED: transfers that go on are for nothing. */
  readonly signal: AbortSignal
  /** For people who look at the host: 0 to 1; what is outside, or no number, is put inside. It is told with the next keep-alive. */
  progress(fraction: number): void
  /** Asks the host to make SHA-256 sums beside its SHA-1, before anything is read. False: it cannot. */
  askForSha256(options: CallOptions): Promise<boolean>
  /** To be asked for before `complete`. Undefined: this host has none. */
  manifest(options: CallOptions): Promise<readonly ManifestEntry[] | undefined>
  /** The error that tells why a transfer failed: what the lease says, if the host has ended it, otherwise the one given. Does not throw. */
  whyFailed(error: unknown, options: CallOptions): Promise<unknown>
  /** All has been read or written. Once; afterwards the lease is gone. */
  complete(options: CallOptions): Promise<void>
}

type Info = Data<'HttpNfcLeaseInfo'>

function readyInfo({ state, info, error }: Observed, called: Called): Info | undefined {
  if (state === 'error') throw leaseFault(error as Data<'LocalizedMethodFault'> | undefined, called)
  if (state === 'done') throw lostLease(called, 'it is done before it was used')
  return state === 'ready' ? (info as Info | undefined) : undefined
}

async function whenReady({ updates }: Connection, ref: MoRef<'HttpNfcLease'>, called: Called, options: CallOptions): Promise<Info> {
  try {
    return await updates.until(ref, ['state', 'info', 'error'], (observed) => readyInfo(observed, called), options)
  } catch (error) {
    if (codeOf(error) === 'NOT_FOUND' || isFault(error, 'NotAuthenticated'))
      throw lostLease(called, 'the host does not know it any more', error)
    throw error
  }
}

/** A call to a lease that has gone, or that belonged to another session. */
async function whileHeld<Result>(called: Called, answer: Promise<Result>): Promise<Result> {
  try {
    return await answer
  } catch (error) {
    if (isFault(error, 'ManagedObjectNotFound') || isFault(error, 'NotAuthenticated'))
      throw lostLease(called, 'the host does not know it any more', error)
    throw error
  }
}

/** Older hosts do not know all calls of a lease. */
async function ifKnown<Result>(answer: Promise<Result>): Promise<Result | undefined> {
  try {
    return await answer
  } catch (error) {
    if (isFault(error, 'MethodNotFound') || isFault(error, 'NotSupported')) return undefined
    throw error
  }
}

const inPercent = (fraction: number): number => (Number.isFinite(fraction) ? Math.round(Math.min(Math.max(fraction, 0), 1) * 100) : 0)

function describeLease(connection: Connection, ref: MoRef<'HttpNfcLease'>, info: Info, called: Called) {
  const { session, settings } = connection
  const urls = info.deviceUrl.map((device) => readDeviceUrl(device, settings))
  return {
    ref,
    entity: info.entity,
    urls,
    totalBytes: Math.max(0, info.totalDiskCapacityInKB) * 1024,
    async askForSha256(options: CallOptions) {
      const deviceUrlsToChecksumTypes = urls.map(({ key }) => ({ key, value: 'sha256' }))
      const asked = session.call('HttpNfcLeaseSetManifestChecksumType', ref, { deviceUrlsToChecksumTypes }, options)
      return (await ifKnown(whileHeld(called, asked).then(() => true))) ?? false
    },
    manifest: (options: CallOptions) => ifKnown(whileHeld(called, session.call('HttpNfcLeaseGetManifest', ref, {}, options))),
    whyFailed: (error: unknown, options: CallOptions) => whyFailed(session, ref, error, called, options),
  }
}

/** @param abort Gives the lease up. */
function holdLease(connection: Connection, ref: MoRef<'HttpNfcLease'>, info: Info, called: Called, abort: () => Promise<void>): Lease {
  const { session } = connection
  const { generation } = session
  const described = describeLease(connection, ref, info, called)
  const lost = new AbortController()
  const over = new AbortController()
  let percent = 0
  let ended = false
  const keep = { ref, timeoutMs: info.leaseTimeout * 1000, generation, percent: () => percent, called }
  const alive = keepLeaseAlive(session, keep, { signal: over.signal }).catch((error: unknown) => {
    if (!over.signal.aborted) lost.abort(error)
  })
  const stop = async (): Promise<void> => {
    over.abort()
    await alive
  }
  return {
    ...described,
    signal: lost.signal,
    progress(fraction) {
      percent = inPercent(fraction)
    },
    async whyFailed(error, options) {
      if (session.generation !== generation) return lostLease(called, 'the session it belonged to has ended', error)
      return described.whyFailed(error, options)
    },
    async complete(options) {
      throwIfAborted(lost.signal)
      // A word about a lease that is done would be refused.
      await stop()
      await whileHeld(called, session.call('HttpNfcLeaseComplete', ref, {}, options))
      ended = true
    },
    async [Symbol.asyncDispose]() {
      await stop()
      if (!ended) await abort()
      ended = true
    },
  }
}

/**
 * Waits until a lease can be used, and keeps it from then on. Whatever fails gives the lease up.
 * @param ref What ExportVm, ExportSnapshot or ImportVApp gave, in the session that is open now.
 * @throws What the lease failed with, as `faultError` says; PROVIDER_FAILED (retryable): the lease was lost with its session. An aborted signal rejects with
 * its reason.
 *
 * Source: HttpNfcLease, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.HttpNfcLease.html
 */
export async function openLease(connection: Connection, ref: MoRef<'HttpNfcLease'>, { name, signal }: LeaseOptions): Promise<Lease> {
  const { session, clock } = connection
  const called: Called = { method: 'HttpNfcLease', self: ref, name, host: nameOf(connection.settings) }
  const abort = () => tidily(clock, 'HttpNfcLeaseAbort', (inner) => session.call('HttpNfcLeaseAbort', ref, {}, inner))
  try {
    return holdLease(connection, ref, await whenReady(connection, ref, called, { signal }), called, abort)
  } catch (error) {
    await abort()
    throw error
  }
}
