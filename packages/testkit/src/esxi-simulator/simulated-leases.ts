import type { CallOptions } from '@holdfast/core/spec'
import type { Call, Host } from './calls/call.ts'
import type { LeaseDevice, SimulatedLease } from './simulated-lease.ts'
import { reference, type SimulatedFault } from './soap-answer.ts'

/** Something that goes wrong, or happens, while a file is sent: at the first transfer of the file after it was scripted. */
export type TransferEvent = {
  /** Bytes that are sent before it. Default 0: before the head of the answer. */
  readonly afterBytes?: number
  /** At every transfer, not only at the first one. */
  readonly always?: boolean
} & (
  | { readonly does: 'status'; readonly status: number }
  /** Nothing comes any more, and the connection stays. */
  | { readonly does: 'stall' }
  /** The connection breaks. */
  | { readonly does: 'reset' }
  /** The answer ends as if it were whole. */
  | { readonly does: 'end' }
  /** The lease fails, and the connection breaks. */
  | { readonly does: 'fail'; readonly fault: SimulatedFault }
  /** Milliseconds on the clock of the host. */
  | { readonly does: 'pause'; readonly milliseconds: number }
  /** The list of sums says something else than what was sent. */
  | { readonly does: 'wrong-sum' }
  | {
      readonly does: 'call'
      /** Awaited before more is sent. */
      call(): void | Promise<void>
    }
)

/** How the leases of a host are. A test may change it. */
export interface LeaseSettings {
  /** Default 300. */
  timeoutSeconds: number
  /** Turns of the event loop until a lease is ready. Default 3. */
  initializeTurns: number
  /** Leases do not get ready, but fail with this. */
  initializeFault: SimulatedFault | undefined
  /** What URLs of devices begin with. Default `https://*` of a host, and the address of its second listener of a vCenter server. */
  urlPrefix: string
  /** SHA-1 or SHA-256 that goes with the URLs. */
  urlThumbprint: string
  /** The host knows SHA-256. Default true. */
  sha256: boolean
  /** The host gives no list of sums. Default false. */
  withoutManifest: boolean
  /** What is sent for disks is kept, so that it can be read back. Default true. */
  keepUploads: boolean
  /** Name of a file of an export, in place of the one that hosts give it. */
  targetIdOf: (device: LeaseDevice, usual: string) => string
}

/** The leases of a host. */
export interface SimulatedLeases {
  readonly settings: LeaseSettings
  /** Those that are not done and have not failed. */
  readonly open: Set<SimulatedLease>
  /** Requests for files of leases that came, as `GET disk-0.vmdk`. */
  readonly transfers: string[]
  /** Headers `cookie` that came with them. */
  readonly cookies: (string | undefined)[]
  /** Scripts what happens to a file, by its name in the URL. */
  script(file: string, event: TransferEvent): void
  /** What was scripted for the next transfer of a file; afterwards it is forgotten, unless it happens always. */
  takeScript(file: string): readonly TransferEvent[]
  /** A path as a lease tells it. */
  addressOf(path: string): { readonly url: string; readonly thumbprint: string }
  /** Where a file of a lease is asked for. */
  pathOf(ticket: string, index: number, targetId: string): string
  /** Which file of which lease a path is about. */
  find(path: string): { readonly lease: SimulatedLease; readonly device: LeaseDevice } | undefined
}

/** @param folder `ha-nfc` of a host, `nfc` of one behind a vCenter server. */
export function createLeases(folder: 'ha-nfc' | 'nfc'): SimulatedLeases {
  const scripts: { readonly file: string; readonly event: TransferEvent }[] = []
  const leases: SimulatedLeases = {
    settings: {
      timeoutSeconds: 300,
      initializeTurns: 3,
      initializeFault: undefined,
      urlPrefix: 'https://*',
      urlThumbprint: '',
      sha256: true,
      withoutManifest: false,
      keepUploads: true,
      targetIdOf: (_device, usual) => usual,
    },
    open: new Set(),
    transfers: [],
    cookies: [],
    script: (file, event) => void scripts.push({ file, event }),
    takeScript(file) {
      const mine = scripts.filter((one) => one.file === file)
      for (const one of mine) if (one.event.always !== true) scripts.splice(scripts.indexOf(one), 1)
      return mine.map(({ event }) => event)
    },
    addressOf: (path) => ({ url: `${leases.settings.urlPrefix}${path}`, thumbprint: leases.settings.urlThumbprint }),
    pathOf: (ticket, index, targetId) => `/${folder}/${ticket}/${/^\w[\w.-]*$/.test(targetId) ? targetId : `file-${index}`}`,
    find(path) {
      for (const lease of leases.open) {
        const device = lease.work.devices.find(({ key }) => lease.paths.get(key) === path)
        if (device !== undefined) return { lease, device }
      }
      return undefined
    },
  }
  return leases
}

const blocked = new Set(['PowerOnVM_Task', 'Destroy_Task', 'MigrateVM_Task', 'RelocateVM_Task', 'UnregisterVM', 'ExportVm'])

/** What a call is refused with because a lease holds its machine. */
export function heldByLease({ leases }: Host, call: Call): SimulatedFault | undefined {
  if (!blocked.has(call.method)) return undefined
  const held = [...leases.open].some(({ work }) => work.entity.value === call.self.value)
  return held
    ? {
        fault: 'TaskInProgress',
        message: 'The operation is not allowed in the current state.',
        fields: reference('task', 'Task', 'task-0'),
      }
    : undefined
}

/** Waits for what can be waited for, and says what is to be done next. */
export async function happen(host: Host, event: TransferEvent, options: CallOptions): Promise<void> {
  if (event.does === 'pause') await host.world.clock.sleep(event.milliseconds, options)
  if (event.does === 'call') await event.call()
}
