import {
  type CallOptions,
  HoldfastError,
  type Json,
  type Machine,
  type MappedBlocks,
  type RestoreSource,
  type RunContext,
} from '@holdfast/core/spec'
import { clusterBytes, decodeVmdkStream, type PassingCluster } from '@holdfast/disk-image'
import { parseBackupOptions } from '../backup/backup-options.ts'
import { openExport } from '../backup/open-export.ts'
import type { Connection } from '../connection.ts'
import { findMachine } from '../inventory/find-machine.ts'
import { restoreMachine } from '../restore/restore-machine.ts'
import { downloadDevice } from '../transfer/download-device.ts'
import { asTrial } from './trial-run.ts'

/** Where the machine of a trial is made: the options of a restore. */
export type TrialPlaces = { readonly [option: string]: Json }

/** What came of a small machine that was imported, exported and removed. */
export interface TrialImport {
  /** The host took a disk of which nothing is packed, as restores of chains send it. */
  readonly imported: true
  /** Clusters of 64 KiB that came back as they were sent. */
  readonly equal: number
  /** Clusters that came back otherwise, did not come back, or were never sent. Anything but 0: restores of chains cannot be trusted on this host. */
  readonly different: number
}

const diskBytes = 16 * 1024 * 1024
/** Every fourth cluster: grain tables have gaps then. */
const isData = (cluster: number): boolean => cluster % 4 === 1

/** What one cluster holds: its own number, again and again, and where in it that is. */
function contentOf(cluster: number): Buffer {
  const bytes = Buffer.alloc(clusterBytes)
  for (let at = 0; at < clusterBytes; at += 4) bytes.writeUInt32LE((cluster * clusterBytes + at) >>> 0, at)
  return bytes
}

function trialDisk(): MappedBlocks {
  return {
    size: diskBytes,
    readers: 1,
    async readInto(target, offset) {
      for (let at = 0; at < target.length; ) {
        const [cluster, within] = [Math.floor((offset + at) / clusterBytes), (offset + at) % clusterBytes]
        const content = isData(cluster) ? contentOf(cluster) : Buffer.alloc(clusterBytes)
        at += content.copy(target, at, within)
      }
    },
    async *extents() {
      for (let cluster = 0; cluster * clusterBytes < diskBytes; cluster += 1)
        if (isData(cluster)) yield { offset: cluster * clusterBytes, length: clusterBytes, kind: 'data' }
    },
    async [Symbol.asyncDispose]() {},
  }
}

const machine: Machine = {
  name: 'trial',
  cpus: 1,
  memoryBytes: 16 * 1024 * 1024,
  firmware: 'bios',
  guest: { family: 'other' },
  disks: [{ key: 'disk', bus: 'scsi' }],
  networks: [],
}

/** A point of another platform, as far as the provider can tell: nothing of it is packed. */
const source: RestoreSource = {
  point: 'trial',
  workload: { id: 'trial', name: 'trial', kind: 'machine' },
  machine,
  kind: 'trial',
  description: null,
  disks: [{ key: 'disk', name: 'disk', size: diskBytes, open: async () => trialDisk(), openChanges: async () => undefined }],
  files: [],
}

/** Compares what came back with what was sent. */
export async function compareTrial(clusters: AsyncIterable<PassingCluster>): Promise<Omit<TrialImport, 'imported'>> {
  const missing = new Set(Array.from({ length: diskBytes / clusterBytes }, (_, index) => index).filter(isData))
  const sent = missing.size
  let foreign = 0
  for await (const { index, bytes } of clusters)
    if (isData(index) && contentOf(index).equals(bytes)) missing.delete(index)
    // One that holds nothing need not be left out.
    else if (!isData(index) && bytes.some((byte) => byte !== 0)) foreign += 1
  return { equal: sent - missing.size, different: missing.size + foreign }
}

async function compared(connection: Connection, id: string, run: RunContext): Promise<TrialImport> {
  const made = await findMachine(connection, id, run)
  const { lease } = await openExport(connection, made, parseBackupOptions({ quiesce: 'never' }), run)
  try {
    const url = lease.urls.find(({ disk }) => disk)
    if (url === undefined) throw new HoldfastError('UNSUPPORTED', 'The host has exported no disk.')
    await using vmdk = await decodeVmdkStream(await downloadDevice(connection, { url, what: 'the trial disk', signal: run.signal }), run)
    return { imported: true, ...(await compareTrial(vmdk.clusters)) }
  } finally {
    await lease[Symbol.asyncDispose]()
  }
}

/**
 * Makes a machine of one disk of 16 MiB as a restore of a chain does, exports it again, compares, and removes it. It is never switched on. Should this process die in between, the
 * machine stays, under a name that begins with `holdfast-trial`, and is to be removed by hand.
 * @throws What a restore and a backup throw.
 */
export function trialImport(connection: Connection, places: TrialPlaces, options: CallOptions): Promise<TrialImport> {
  return asTrial(connection, options, async (run) => {
    const request = { purpose: 'test', name: `holdfast-trial-${run.mark.run}`, start: false, options: places } as const
    const { workload } = await restoreMachine(connection, request, source, run)
    return compared(connection, workload, run)
  })
}
