import { diskEntriesOf } from '../model/disk-entries.ts'
import type { DiskItem, Manifest } from '../model/manifest.ts'

/** A disk in a point of its chain. */
export interface DiskLayer {
  readonly manifest: Manifest
  readonly entry: DiskItem
}

/** What a merge makes of one disk. */
export interface DiskMerge {
  readonly disk: DiskItem
  /** What becomes one file, newest first; the first is the disk itself. One alone: the disk is left as it is. */
  readonly layers: readonly DiskLayer[]
  /** What the disk builds on afterwards, newest first; empty: it becomes a full. */
  readonly rest: readonly DiskLayer[]
}

/**
 * What a merge of a point takes together, disk by disk. Pure. `chains`: of each disk its layers, newest first, down to its full. A layer is taken over
 * while its point is in `absorb` and all above it were: what lies below a point that stays is reached through that point. Without `absorb` all is taken over.
 */
export function planMerge(chains: readonly (readonly DiskLayer[])[], absorb: ReadonlySet<string> | undefined): readonly DiskMerge[] {
  return chains.flatMap((chain) => {
    const [top, ...below] = chain
    if (top === undefined) return []
    const stays = absorb === undefined ? -1 : below.findIndex(({ manifest }) => !absorb.has(manifest.point))
    const taken = stays < 0 ? below.length : stays
    return [{ disk: top.entry, layers: [top, ...below.slice(0, taken)], rest: below.slice(taken) }]
  })
}

/**
 * What a copy of a disk takes together. Pure. `chain`: its layers where it is, newest first. `there`: the points where it goes that it may build on. The
 * disk builds on the newest of its chain that is there and holds the very same disk; what lies between is written into it.
 */
export function planCopy(
  chain: readonly DiskLayer[],
  there: ReadonlyMap<string, Manifest>,
): Pick<DiskMerge, 'layers'> & { readonly parent?: Manifest } {
  const found = chain.findIndex(({ manifest, entry }, index) => index > 0 && holds(there.get(manifest.point), entry))
  const parent = there.get(chain[found]?.manifest.point ?? '')
  return parent === undefined ? { layers: chain } : { layers: chain.slice(0, found), parent }
}

function holds(point: Manifest | undefined, { disk, digest }: DiskItem): boolean {
  return point !== undefined && diskEntriesOf(point).some((each) => each.disk.key === disk.key && each.digest === digest)
}

/** Why the disk is stored as it is now, in words a person reads. */
export function mergeReason({ layers, rest }: DiskMerge): string {
  const count = layers.length - 1
  const taken = `merged with ${count === 1 ? 'the point' : `the ${count} points`} before it`
  const [parent] = rest
  return parent === undefined ? `${taken}, down to the full` : `${taken}, builds on ${parent.manifest.point}`
}
