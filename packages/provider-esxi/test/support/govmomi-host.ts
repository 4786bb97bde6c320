import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { diskOfVmdk, vmdkOf } from '@holdfast/testkit'
import type { PeerFacts } from '../../../../scripts/peers/find-peers.ts'
import { type GovmomiHost, type GovmomiMachineOrder, startGovmomiHost } from '../../../../scripts/peers/govmomi-host.ts'
import type { TestedHost, TestedHostOptions, TestedMachine } from './tested-host.ts'

/** Virtual size of a sparse VMDK, in bytes. Source: "Virtual Disk Format 5.0", VMware, SparseExtentHeader. */
const virtualSize = (vmdk: Uint8Array): number => Number(Buffer.from(vmdk.buffer, vmdk.byteOffset).readBigUInt64LE(12)) * 512

/** The content as files, for a program that takes paths. */
async function orderOf(folder: string, machine: TestedMachine): Promise<GovmomiMachineOrder> {
  const { name, disks, nvram, iso, firmware, poweredOn } = machine
  const file = async (ending: string, content: Uint8Array): Promise<string> => {
    const path = join(folder, `${name}${ending}`)
    await writeFile(path, content)
    return path
  }
  return {
    name,
    disks: await Promise.all(disks.map((disk, at) => file(`-${at}.vmdk`, vmdkOf(disk)))),
    ...(nvram !== undefined && { nvram: await file('.nvram', nvram) }),
    ...(iso !== undefined && { iso: await file('.iso', iso) }),
    ...(firmware !== undefined && { firmware }),
    ...(poweredOn !== undefined && { poweredOn }),
  }
}

async function createMachines(host: GovmomiHost, machines: readonly TestedMachine[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-govmomi-files-'))
  try {
    for (const machine of machines) await host.createMachine(await orderOf(folder, machine))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The simulator of govmomi with our extensions, in a process of its own. */
export async function openGovmomiHost(
  facts: PeerFacts['govmomi'],
  { kind = 'esxi', machines = [] }: TestedHostOptions = {},
): Promise<TestedHost> {
  const host = await startGovmomiHost(facts, { kind })
  const filesOf = async (name: string) => {
    const found = (await host.state()).machines.find((machine) => machine.name === name)
    if (found === undefined) throw new Error(`there is no machine ${name}`)
    return found.files
  }
  try {
    await createMachines(host, machines)
  } catch (error) {
    await host[Symbol.asyncDispose]()
    throw error
  }
  return {
    login: { host: host.host, port: host.port, user: host.user, password: host.password, thumbprint: host.thumbprint },
    sessions: async () => (await host.state()).sessions,
    leases: async () => (await host.state()).leases.length,
    async disksOf(name) {
      const disks = (await filesOf(name)).filter(({ disk }) => disk)
      const files = await Promise.all(disks.map(({ path }) => readFile(path)))
      return files.map((vmdk) => diskOfVmdk(vmdk, virtualSize(vmdk)))
    },
    async nvramOf(name) {
      const nvram = (await filesOf(name)).find(({ key }) => key.endsWith('/nvram'))
      return nvram === undefined ? undefined : readFile(nvram.path)
    },
    endSessions: host.endSessions,
    setLeaseTimeout: host.setLeaseTimeout,
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  }
}
