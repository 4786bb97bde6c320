import { type BlockSource, type BlocksItem, type CallOptions, type Disk, HoldfastError, type MappedBlocks } from '@holdfast/core/spec'
import { bytesOfRun, type ClusterRun, clusterBytes, clustersOf, countClusters } from './cluster-runs.ts'
import { nearReads } from './near-reads.ts'
import { speaksAgainstAreas } from './reasons.ts'

/** How much of a disk is read. */
export interface ChangedDisk {
  /** Clusters in which something has changed, in order. */
  readonly runs: readonly ClusterRun[]
  /** So much has changed that all of the disk is read and compared, which stores less: some datastores call a whole disk changed. */
  readonly whole: boolean
}

export const changedDisk = (runs: readonly ClusterRun[], sizeBytes: number): ChangedDisk => ({
  runs,
  whole: countClusters(runs) * 2 > clustersOf(sizeBytes),
})

/** So many bytes are read for the changes of a disk, at least. */
export const bytesToRead = ({ runs, whole }: ChangedDisk, sizeBytes: number): number =>
  whole ? sizeBytes : Math.min(sizeBytes, countClusters(runs) * clusterBytes)

/** Part of an increment was handed over already, so that the engine has to begin again without a base. */
function lost(error: unknown, options: CallOptions): unknown {
  if (!speaksAgainstAreas(error, options)) return error
  return new HoldfastError('BASE_LOST', `the changed areas cannot be read any more: ${error.message}`, { cause: error })
}

async function orLost<Result>(work: () => Promise<Result>, options: CallOptions): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw lost(error, options)
  }
}

/** A disk of an increment by changed areas. Its reads fail with BASE_LOST when they fail for a reason that another way of reading may not have. */
async function openOrLost(open: OpenDisk, options: CallOptions): Promise<BlockSource> {
  const source = await orLost(() => open(options), options)
  return { ...source, readInto: (target, offset, inner) => orLost(() => source.readInto(target, offset, inner), inner) }
}

/** Only these runs of a disk, as an increment takes them. */
const changesOf = (source: BlockSource, runs: readonly ClusterRun[]): MappedBlocks => ({
  ...nearReads(source, runs),
  async *extents({ signal }) {
    for (const run of runs) {
      signal.throwIfAborted()
      yield { ...bytesOfRun(run, source.size), kind: 'data' }
    }
  },
})

export type OpenDisk = (options: CallOptions) => Promise<BlockSource>

/** A disk of an increment, as it is handed over. */
export function changedItem(disk: Disk, { runs, whole }: ChangedDisk, open: OpenDisk): BlocksItem {
  if (whole) return { covers: 'unmapped', disk, open: (options) => openOrLost(open, options) }
  return { covers: 'changes', disk, open: async (options) => changesOf(await openOrLost(open, options), runs) }
}
