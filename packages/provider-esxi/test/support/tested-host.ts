import type { MappedBlocks } from '@holdfast/core/spec'
import { readBlocks, startEsxiSimulator } from '@holdfast/testkit'
import type { HostOptions } from '../../src/host-options.ts'

/** A machine that a host of a test is to have. */
export interface TestedMachine {
  readonly name: string
  /** What is on its disks, in bytes of whole sectors. */
  readonly disks: readonly Uint8Array[]
  readonly nvram?: Uint8Array
  readonly iso?: Uint8Array
  /** Default `bios`. */
  readonly firmware?: 'bios' | 'efi'
  /** Default false. */
  readonly poweredOn?: boolean
}

/** What a host of a test is to be. */
export interface TestedHostOptions {
  /** Default `esxi`. */
  readonly kind?: 'esxi' | 'vcenter'
  readonly machines?: readonly TestedMachine[]
}

/** A host, whoever has written it: what a test does to it, and what it sees of it beside its API. */
export interface TestedHost extends AsyncDisposable {
  readonly login: HostOptions
  /** Sessions that are open. */
  sessions(): Promise<number>
  /** Leases that have not ended. */
  leases(): Promise<number>
  /** What is on the disks of a machine. */
  disksOf(machine: string): Promise<readonly Uint8Array[]>
  nvramOf(machine: string): Promise<Uint8Array | undefined>
  /** Ends all sessions, and what belongs to them. */
  endSessions(): Promise<void>
  /** Leases from now on end without a word for so long. */
  setLeaseTimeout(seconds: number): Promise<void>
}

export type OpenTestedHost = (options?: TestedHostOptions) => Promise<TestedHost>

async function bytesIn(blocks: MappedBlocks): Promise<Uint8Array> {
  try {
    return await readBlocks(blocks, { signal: new AbortController().signal })
  } finally {
    await blocks[Symbol.asyncDispose]()
  }
}

/** The simulator of the testkit, in this process. */
export async function openSimulatedHost({ kind = 'esxi', machines = [] }: TestedHostOptions = {}): Promise<TestedHost> {
  const simulator = await startEsxiSimulator({
    kind,
    machines: machines.map(({ name, disks, nvram, iso, firmware = 'bios', poweredOn = false }, at) => ({
      name,
      uuid: `4200${String(at).padStart(4, '0')}-0000-4000-8000-000000000000`,
      disks: disks.map((content) => ({ content })),
      ...(nvram !== undefined && { nvram }),
      ...(iso !== undefined && { cdrom: { iso: `[datastore1] ${name}/${name}.iso`, content: iso } }),
      firmware,
      powerState: poweredOn ? ('poweredOn' as const) : ('poweredOff' as const),
    })),
  })
  const machine = (name: string) => {
    const found = simulator.machine(name)
    if (found === undefined) throw new Error(`there is no machine ${name}`)
    return found
  }
  return {
    login: { host: simulator.host, port: simulator.port, user: 'root', password: 'simulated', thumbprint: simulator.thumbprint() },
    sessions: async () => simulator.sessions(),
    leases: async () => simulator.leases.open.size,
    disksOf: (name) => Promise.all(machine(name).hardware.disks.map(({ content }) => bytesIn(content.open()))),
    nvramOf: async (name) => machine(name).settings.nvram,
    endSessions: async () => simulator.endSessions(),
    async setLeaseTimeout(seconds) {
      simulator.leases.settings.timeoutSeconds = seconds
    },
    [Symbol.asyncDispose]: () => simulator[Symbol.asyncDispose](),
  }
}
