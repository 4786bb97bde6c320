import { execFileSync } from 'node:child_process'
import { copyFileSync, readdirSync } from 'node:fs'
import { mkdtemp, open, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { esxi } from '@holdfast/provider-esxi'
import { findPeers } from '../scripts/peers/find-peers.ts'
import { startGovmomiHost } from '../scripts/peers/govmomi-host.ts'
import { type TimedCost, timedProgram } from './chain-runs.ts'
import { sampleDiskContent, writeSampleDisk } from './sample-disk.ts'
import { seededBytes } from './seeded-bytes.ts'
import type { BenchLine, Cost } from './statistics.ts'

const seed = 'disk 1'
const clusterBytes = 65_536
/** A sample disk is 40 % holes. */
const dataShare = 0.6
const changedShare = 12

/** A simulated host in a process of its own with one machine, which is off, and the client that it is compared with. */
export interface EsxiPeer extends AsyncDisposable {
  /** What both sides read or write, for the line of a result. */
  data(): Promise<BenchLine['data']>
  /** The disk as the host has it: a streamOptimized VMDK. */
  readonly image: string
  /** A twelfth of the clusters of the disk are other ones, somewhere. */
  changeDisk(): Promise<void>
  /** `full`: no increments are planned. `times`: runs of one engine, one after the other. */
  backup(folder: string, kind: 'full' | 'chain', times?: number): Promise<TimedCost>
  /** Of the newest point in the folder, once for each name, by one engine. */
  restore(folder: string, ...names: readonly string[]): Promise<TimedCost>
  /** The words of a call of govc. */
  govc(command: string, ...words: readonly string[]): readonly [string, ...string[]]
  /** Throws unless the disk of the machine holds what that of the source holds; `exactly`: in the same bytes of the file. */
  compareDisk(machine: string, how: 'exactly' | 'content'): Promise<void>
  removeMachine(name: string): void
}

/** Bytes of data of which the VMDK, packed, has 1 GiB: what is read and sent. */
export const gibibyteInVmdk = 2080 * 2 ** 20

/** Runs of an engine that has started, one after the other. */
export const runsOfOneEngine = 3

/** An engine is started once and runs for months: what its runs cost without its start and its stop. The memory is that of the whole process. */
export function ofRunningEngine({ rssMib, times }: TimedCost): Cost {
  return { wallSeconds: times.runs ?? Number.NaN, cpuSeconds: times.runs_cpu ?? Number.NaN, ...(rssMib !== undefined && { rssMib }) }
}

/** The name of the machine. */
export const sourceName = 'source'

/**
 * @param parent For everything on the disk: in a folder of its own, which goes when the peer is disposed.
 * @param size Bytes of data on the disk of the machine.
 */
export async function openEsxiPeer(parent: string, size: number, say: (text: string) => void): Promise<EsxiPeer> {
  const { govmomi, 'qemu-img': qemu } = await findPeers()
  if ('missing' in govmomi) throw new Error(`govmomi: ${govmomi.missing}. Build it with: npm run peers`)
  if ('missing' in qemu) throw new Error(`qemu-img: ${qemu.missing}. Install it with: npm run peers`)
  const run = (program: string, ...words: readonly string[]) => execFileSync(program, words, { stdio: ['ignore', 'ignore', 'inherit'] })
  const folder = await mkdtemp(join(parent, 'host-'))
  const [raw, image] = [join(folder, 'disk.img'), join(folder, 'disk.vmdk')]
  const diskBytes = Math.ceil(size / dataShare / clusterBytes) * clusterBytes
  const pack = () => run(qemu.facts.path, 'convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, image)
  say(`making a disk with ${size / 2 ** 20} MiB of data`)
  await writeSampleDisk(raw, diskBytes, seed)
  pack()
  const host = await startGovmomiHost(govmomi.facts, { folder })
  const { host: address, port, user, password, thumbprint } = host
  const login = { host: address, port, user, password, thumbprint }
  const url = `https://${user}:${password}@${address}:${port}/sdk`
  const govc: EsxiPeer['govc'] = (command, ...words) => [govmomi.facts.govc, command, '-u', url, '-k', '-persist-session=false', ...words]
  const diskOf = async (name: string): Promise<string> => {
    const path = (await host.state()).machines.find((machine) => machine.name === name)?.files.find(({ disk }) => disk)?.path
    if (path === undefined) throw new Error(`The host has no machine ${name} with a disk.`)
    return path
  }
  await host.createMachine({ name: sourceName, disks: [image] })
  const id = await onlyMachine(login)
  return {
    image,
    async data() {
      const bytes = (await stat(image)).size
      return { data_bytes: size, disk_bytes: diskBytes, image_bytes: bytes, content: sampleDiskContent, seed, qemu: qemu.facts.version }
    },
    async changeDisk() {
      await changeClusters(raw, diskBytes)
      await rm(image)
      pack()
      copyFileSync(image, await diskOf(sourceName))
    },
    backup: (target, kind, times = 1) => timedProgram('esxi-backup', [JSON.stringify(login), id, target, kind, `${times}`]),
    restore: (target, ...names) => timedProgram('esxi-restore', [JSON.stringify(login), id, target, ...names]),
    govc,
    async compareDisk(machine, how) {
      const disk = await diskOf(machine)
      if (how === 'exactly') run('cmp', image, disk)
      else run(qemu.facts.path, 'compare', '-q', '-f', 'vmdk', '-F', 'vmdk', image, disk)
    },
    removeMachine(name) {
      const [program, ...words] = govc('vm.destroy', name)
      run(program, ...words)
    },
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

async function onlyMachine(login: Parameters<typeof esxi>[0]): Promise<string> {
  const provider = esxi(login)
  try {
    for await (const { id } of provider.workloads({ signal: new AbortController().signal })) return id
    throw new Error('The host has no machine.')
  } finally {
    await provider[Symbol.asyncDispose]()
  }
}

async function changeClusters(raw: string, diskBytes: number): Promise<void> {
  const random = seededBytes(`${seed} changes`)
  const clusters = diskBytes / clusterBytes
  const file = await open(raw, 'r+')
  try {
    for (let changed = 0; changed < clusters / changedShare; changed++)
      await file.write(random(clusterBytes), 0, clusterBytes, (random(6).readUIntLE(0, 6) % clusters) * clusterBytes)
  } finally {
    await file.close()
  }
}

/** Path of the one file below a folder whose name ends so. */
export function fileBelow(folder: string, ending: string): string {
  const [name, ...others] = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((each) => basename(each).endsWith(ending))
  if (name === undefined || others.length > 0)
    throw new Error(`There are ${others.length + (name === undefined ? 0 : 1)} files *${ending} in ${folder}.`)
  return join(folder, name)
}
