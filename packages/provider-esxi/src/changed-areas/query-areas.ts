import type { CallOptions } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import type { FlatDisk } from '../flat/flat-disks.ts'
import type { FoundMachine } from '../inventory/found-machine.ts'
import type { Data, MoRef } from '../vim25/values.ts'
import { appendRun, type ClusterRun, clusterBytes, clustersOf } from './cluster-runs.ts'
import { orReason, type Reason } from './reasons.ts'

/** So many separate pieces of a disk are held in memory. More are read as quickly with what lies between them. */
const mostRuns = 250_000

type Answer = Data<'DiskChangeInfo'>

/** Puts together what the answers say of one disk, as far as it is. */
function createCollector(sizeBytes: number) {
  const runs: ClusterRun[] = []
  let [spoken, last] = [0, 0]
  const add = ({ start, length }: Answer['changedArea'][number]): Reason | undefined => {
    if (!(start >= 0 && length > 0 && start + length <= sizeBytes)) return `an area of ${length} bytes at ${start} is outside of the disk`
    if (start < last) return `an area at ${start} begins before ${last}, where the one before it ends`
    last = start + length
    const index = Math.floor(start / clusterBytes)
    appendRun(runs, { index, count: clustersOf(last) - index })
    return runs.length > mostRuns ? `there are more than ${mostRuns} of them` : undefined
  }
  return {
    runs,
    /** Bytes of the disk that the host has spoken of. */
    spoken: () => spoken,
    /** Why an answer cannot be believed. */
    take({ startOffset, length, changedArea }: Answer): Reason | undefined {
      if (startOffset !== spoken || !(length > 0) || startOffset + length > sizeBytes)
        return `an answer is about ${length} bytes at ${startOffset} instead of what follows ${spoken}`
      spoken += length
      for (const area of changedArea) {
        const why = add(area)
        if (why !== undefined) return why
      }
      return undefined
    },
  }
}

/**
 * The clusters of a disk in which something has changed from a moment to a snapshot, in order. One answer of a host is about a part of the disk only, so it is asked
 * until all of the disk was spoken of.
 * @param since `*`: those that are used.
 * @returns Why that cannot be told, if it cannot: the host refuses, or says what cannot be.
 *
 * Source: https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.VirtualMachine.html, QueryChangedDiskAreas.
 */
export async function queryAreas(
  { session }: Connection,
  { ref, name }: FoundMachine,
  snapshot: MoRef<'VirtualMachineSnapshot'>,
  { deviceKey, sizeBytes, name: disk }: Pick<FlatDisk, 'deviceKey' | 'sizeBytes' | 'name'>,
  since: string,
  { signal }: CallOptions,
): Promise<readonly ClusterRun[] | { readonly why: Reason }> {
  const collector = createCollector(sizeBytes)
  while (collector.spoken() < sizeBytes) {
    const asked = { snapshot, deviceKey, startOffset: collector.spoken(), changeId: since }
    const answer = await orReason(() => session.call('QueryChangedDiskAreas', ref, asked, { signal, name }), { signal })
    if ('why' in answer) return answer
    const why = collector.take(answer)
    if (why !== undefined) return { why: `the host tells changed areas of ${disk} that cannot be: ${why}` }
  }
  return collector.runs
}
