import { planChain } from '../../chain/plan-chain.ts'
import { diskEntriesOf } from '../../model/disk-entries.ts'
import type { DiskItem, Manifest } from '../../model/manifest.ts'
import { manifestPath, parsePointPath } from '../../model/names.ts'
import type { BackupInput } from '../../model/run-input.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import type { Catalog, ManifestRef } from '../../spec/store.ts'
import type { BaseDisk } from '../../transfer/index.ts'
import { isMediaError } from '../media-errors.ts'
import { type EngineParts, providerNamed, repositoryNamed } from '../parts.ts'
import { highestSequence, pointsOf } from './catalog-view.ts'
import { readNumber } from './point-folder.ts'

/** A committed manifest and where it is. */
export interface ChainLink {
  readonly reference: ManifestRef
  readonly manifest: Manifest
}

/** What a new backup builds on. */
export interface BaseChain {
  /** The base first, then everything it builds on. Absent: a full. */
  readonly chain?: readonly ChainLink[] | undefined
  /** Why it is a full. */
  readonly reason?: string
  readonly sequence: number
  /** The highest number that the store knows in a folder: a listing may lag behind. */
  highestNumberOf(folder: string): number
}

/** `folder`: that of the new point, whose name says when it is due. `lastTry`: a base that cannot be read now is given up for a full, instead of trying again. */
export async function newestBase(
  parts: EngineParts,
  ground: { readonly input: BackupInput; readonly folder: string; readonly lastTry: boolean },
  options: CallOptions,
): Promise<BaseChain> {
  const { repository, workload } = ground.input
  const catalog = await parts.store.points.catalog(repository, `${workload.provider}/${workload.id}`, options)
  const common = { sequence: highestSequence(catalog) + 1, highestNumberOf: (folder: string) => highestNumber(catalog, folder) }
  const points = pointsOf(catalog).map((point) => point.current)
  const decision = planChain(points, {
    policy: ground.input.chain,
    due: parsePointPath(ground.folder)?.due ?? Number.NaN,
    providerKind: providerNamed(parts, workload.provider).kind,
  })
  if (decision.form === 'full') return { ...common, reason: decision.reason }
  const links = await readChain(parts, decision.chain, options).catch((error: unknown) => {
    if (!ground.lastTry || !isMediaError(error)) throw error
    return undefined
  })
  return links
    ? { ...common, chain: links }
    : { ...common, reason: `the manifest of ${decision.base.pointId} or of a point it builds on cannot be read` }
}

function highestNumber(catalog: Catalog, folder: string): number {
  return catalog.points.reduce((highest, row) => (row.folder === folder ? Math.max(highest, row.number) : highest), 0)
}

/** Reads the manifests of a chain, or undefined if one of them is not a live manifest any more. */
export async function readChain(
  parts: EngineParts,
  chain: readonly ManifestRef[],
  options: CallOptions,
): Promise<readonly ChainLink[] | undefined> {
  const links: ChainLink[] = []
  for (const { repository, folder, number } of chain) {
    const reference = { repository, folder, number }
    const seen = await readNumber(repositoryNamed(parts, repository), reference, options)
    if (seen.state !== 'live') return undefined
    links.push({ reference, manifest: seen.manifest })
  }
  return links
}

/** The first manifest of a chain that is no live one, and why in words that name its file; undefined: all of them are. */
export async function brokenLink<Reference extends ManifestRef>(
  parts: EngineParts,
  chain: readonly Reference[],
  options: CallOptions,
): Promise<{ readonly link: Reference; readonly file: string; readonly problem: string } | undefined> {
  for (const link of chain) {
    const seen = await readNumber(repositoryNamed(parts, link.repository), link, options)
    if (seen.state === 'live') continue
    const file = manifestPath(link.folder, link.number)
    const problem = seen.state === 'damaged' ? seen.error.message : seen.state === 'dead' ? `${file} is empty` : `${file} is gone`
    return { link, file, problem }
  }
  return undefined
}

/** For each disk of the base: its newest file, and all cluster sums down to its full, newest first. */
export function baseDisks(chain: readonly ChainLink[]): readonly BaseDisk[] {
  const byPoint = new Map(chain.map((link) => [link.manifest.point, link.manifest]))
  const newest = chain[0]?.manifest
  if (!newest) return []
  return diskEntriesOf(newest).flatMap((item) => {
    const layers = layersOf(byPoint, newest, item)
    if (!layers) return []
    return [
      {
        key: item.disk.key,
        size: item.disk.size,
        point: newest.point,
        file: `${newest.folder}/${item.file.path}`,
        format: item.format,
        sums: layers.map((layer) => `${layer.manifest.folder}/${layer.item.sums.path}`),
      },
    ]
  })
}

/** The layers of one disk, newest first, down to its full; undefined if one is missing. */
export function layersOf(
  byPoint: ReadonlyMap<string, Manifest>,
  newest: Manifest,
  item: DiskItem,
): readonly { readonly manifest: Manifest; readonly item: DiskItem }[] | undefined {
  const layers = [{ manifest: newest, item }]
  for (let layer = item; layer.parent !== undefined; ) {
    const manifest = byPoint.get(layer.parent)
    const parent = manifest && diskEntriesOf(manifest).find(({ disk }) => disk.key === item.disk.key)
    if (!manifest || !parent || layers.length > byPoint.size) return undefined
    layers.push({ manifest, item: parent })
    layer = parent
  }
  return layers
}
