import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CallOptions } from '@holdfast/core/spec'
import type { Host, SimulatedSession } from './calls/call.ts'
import type { SimulatedObject } from './simulated-world.ts'
import { field, localized, reference, type SimulatedFault, type TypedValues, type XmlValue } from './soap-answer.ts'

/** A file of a machine that a lease lets pass. */
export interface LeaseDevice {
  /** `/vm-12/ParaVirtualSCSIController0:0`. */
  readonly key: string
  /** Of an import: how the specification calls it. */
  readonly importKey?: string
  /** Last part of its URL. */
  readonly targetId: string
  readonly disk: boolean
  /** Of a disk: what the guest sees, and what of it holds data. In bytes. */
  readonly capacity?: number
  readonly populatedSize?: number
  /** Of a file that is no disk, in bytes. */
  readonly fileSize?: number
  /** What a GET is answered with. */
  body?(options: CallOptions): Promise<AsyncIterable<Uint8Array>>
  /** Takes what is sent, and answers. It calls `lease.passed` when all was taken. */
  receive?(request: IncomingMessage, response: ServerResponse, lease: SimulatedLease): Promise<void>
}

/** What a host has counted of a file that passed. */
export interface PassedFile {
  readonly size: number
  /** Lower-case hex. */
  readonly sha1: string
  readonly sha256: string
}

/** What a lease is for. */
export interface LeaseWork {
  /** The machine that it holds. */
  readonly entity: SimulatedObject
  readonly devices: readonly LeaseDevice[]
  /** Runs when it gets ready. A fault makes the lease fail. */
  initialize?(): SimulatedFault | undefined
  /** Called once. `failed`: it was given up, ran out of time, or its session ended; an import takes away what it made. */
  ended?(how: 'completed' | 'failed'): void
}

/** A lease: it belongs to a session, and ends with it. */
export interface SimulatedLease extends SimulatedObject {
  readonly work: LeaseWork
  readonly session: SimulatedSession
  readonly state: 'initializing' | 'ready' | 'done' | 'error'
  /** Why it is in `error`. */
  readonly fault: SimulatedFault | undefined
  /** Path of the URL of each device, by its key. */
  readonly paths: ReadonlyMap<string, string>
  /** What has passed, by the key of the device. */
  readonly files: ReadonlyMap<string, PassedFile>
  /** Which sums are made beside SHA-1, by the key of the device. */
  readonly checksums: Map<string, string>
  /** Percents that were told. */
  readonly told: readonly number[]
  passed(key: string, file: PassedFile): void
  heard(percent: number): void
  complete(): void
  /** It is given up: by whoever held it, or with a fault. A fault stays to be read. */
  fail(fault?: SimulatedFault): void
}

const timedOut: SimulatedFault = { fault: 'Timedout', message: 'Operation timed out.' }

function infoOf(host: Host, lease: SimulatedLease, values: TypedValues): XmlValue {
  const { devices, entity } = lease.work
  const urls = devices.map((device) => {
    const { url, thumbprint } = host.leases.addressOf(lease.paths.get(device.key) ?? '')
    return [
      '<deviceUrl>',
      field('key', device.key),
      field('importKey', device.importKey ?? ''),
      field('url', url),
      field('sslThumbprint', thumbprint),
      field('disk', device.disk),
      field('targetId', device.targetId),
      ...(device.fileSize === undefined ? [] : [field('fileSize', device.fileSize)]),
      '</deviceUrl>',
    ].join('')
  })
  const capacity = devices.reduce((sum, one) => sum + (one.capacity ?? 0), 0)
  return values.data(
    'HttpNfcLeaseInfo',
    [
      reference('lease', 'HttpNfcLease', lease.value),
      reference('entity', entity.type, entity.value),
      ...urls,
      field('totalDiskCapacityInKB', Math.ceil(capacity / 1024)),
      field('leaseTimeout', host.leases.settings.timeoutSeconds),
    ].join(''),
  )
}

const localizedError = (host: Host, fault: SimulatedFault, values: TypedValues): XmlValue => {
  const text = localized(host.style, 'error', fault)
  return values.data('LocalizedMethodFault', text.slice('<error>'.length, -'</error>'.length))
}

const propertiesOf = (host: Host, lease: SimulatedLease, values: TypedValues) => ({
  state: values.enumeration('HttpNfcLeaseState', lease.state),
  initializeProgress: values.int(lease.state === 'initializing' ? 0 : 100),
  transferProgress: values.int(lease.told.at(-1) ?? 0),
  info: lease.state === 'ready' ? infoOf(host, lease, values) : undefined,
  error: lease.fault === undefined ? undefined : localizedError(host, lease.fault, values),
})

/** Fails the lease when nothing was heard of it for too long. */
async function watchTime(host: Host, lease: SimulatedLease, heardAt: () => number, { signal }: CallOptions): Promise<void> {
  const { clock } = host.world
  for (;;) {
    const left = heardAt() + host.leases.settings.timeoutSeconds * 1000 - clock.monotonic()
    if (left <= 0) return lease.fail(timedOut)
    await clock.sleep(left, { signal })
  }
}

interface Life {
  state: SimulatedLease['state']
  fault: SimulatedFault | undefined
  heardAt: number
  readonly told: number[]
  /** Aborts when it has ended. */
  readonly over: AbortController
}

/** What a lease does, by itself and when it is told to. */
function conductOf(host: Host, lease: () => SimulatedLease, life: Life) {
  const { world, leases } = host
  const end = (to: 'done' | 'error', how: 'completed' | 'failed'): void => {
    if (life.over.signal.aborted) return
    life.state = to
    life.over.abort()
    leases.open.delete(lease())
    lease().work.ended?.(how)
    world.changed()
  }
  const remove = (): void => {
    if (world.find(lease().type, lease().value) === lease()) world.remove(lease())
  }
  return {
    heard(percent: number) {
      life.told.push(percent)
      life.heardAt = world.clock.monotonic()
    },
    complete() {
      end('done', 'completed')
      remove()
    },
    fail(fault?: SimulatedFault) {
      life.fault ??= fault
      end('error', 'failed')
      // What failed by itself stays until the session ends, so that the reason can be read.
      if (fault === undefined) remove()
    },
  }
}

/** Makes it ready, or lets it fail, after some turns of the event loop. */
function initialize(host: Host, lease: SimulatedLease, life: Life, turns: number): void {
  if (life.state !== 'initializing') return
  if (turns > 0) {
    setImmediate(initialize, host, lease, life, turns - 1)
    return
  }
  const fault = host.leases.settings.initializeFault ?? lease.work.initialize?.()
  if (fault !== undefined) lease.fail(fault)
  else life.state = 'ready'
  host.world.changed()
}

/** Opens a lease, which gets ready some turns of the event loop later. */
export function createLease(host: Host, session: SimulatedSession, work: LeaseWork): SimulatedLease {
  const { world, leases } = host
  const files = new Map<string, PassedFile>()
  const life: Life = { state: 'initializing', fault: undefined, heardAt: world.clock.monotonic(), told: [], over: new AbortController() }
  const lease: SimulatedLease = {
    type: 'HttpNfcLease',
    value: world.next('session-lease'),
    work,
    session,
    get state() {
      return life.state
    },
    get fault() {
      return life.fault
    },
    paths: new Map(work.devices.map(({ key, targetId }, index) => [key, leases.pathOf(world.next('ticket'), index, targetId)])),
    files,
    checksums: new Map(),
    told: life.told,
    properties: (values) => propertiesOf(host, lease, values),
    passed: (key, file) => void files.set(key, file),
    ...conductOf(host, () => lease, life),
  }
  leases.open.add(lease)
  world.add(lease)
  session.ended.signal.addEventListener('abort', () => lease.fail(), { once: true })
  watchTime(host, lease, () => life.heardAt, { signal: life.over.signal }).catch(() => {})
  setImmediate(initialize, host, lease, life, leases.settings.initializeTurns)
  return lease
}
