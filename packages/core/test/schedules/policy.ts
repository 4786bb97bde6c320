import type { ManifestRef } from '@holdfast/core/spec'
import type { Manifest } from '../../src/model/manifest.ts'
import type { StoreView } from './ledger.ts'

/** The parts of a retention that the schedules use. */
export interface Policy {
  readonly last?: number
  readonly chains?: 'merge'
  /** Milliseconds. */
  readonly within?: number
}

interface Scene {
  readonly state: StoreView
  /** Current manifest of each point folder. */
  readonly manifests: ReadonlyMap<string, Manifest>
  readonly policies: ReadonlyMap<string, Policy>
  readonly condemned: readonly ManifestRef[]
}

/**
 * What is wrong with condemning these because of retention: a second opinion, read from the manifests themselves and not from what the engine made of
 * them. Undefined: nothing.
 */
export function wrongByPolicy({ state, manifests, policies, condemned }: Scene): string | undefined {
  const own = [...state.points.values()].filter(({ repository }) => repository === 'main')
  const staying = new Set(own.filter((row) => !row.condemned).map(({ folder }) => folder))
  const going = new Set(condemned.map(({ folder }) => folder).filter((folder) => !staying.has(folder)))
  const rows = own.filter((row) => !row.condemned || going.has(row.folder))
  const known = [...new Set(rows.map(({ folder }) => folder))].flatMap((folder) => manifests.get(folder) ?? [])
  for (const folder of going) {
    const manifest = manifests.get(folder)
    if (!manifest) continue
    const policy = policies.get(manifest.plan ?? '')
    if (!policy || !planIsKnown(state, manifest)) return `${folder} is condemned by no plan's retention`
    const alike = known.filter(({ plan, workload }) => plan === manifest.plan && workload.id === manifest.workload.id)
    const good = alike.filter((each) => flagsOf(state, each).quarantine === undefined)
    const why = wanted(state, manifest, good, policy)
    if (why) return `${folder} is condemned although ${why}`
    const child = known.find((each) => !going.has(each.folder) && Object.values(each.parents).includes(manifest.point))
    if (child) return `${folder} is condemned although ${child.folder} builds on it`
  }
  return undefined
}

function wanted(state: StoreView, manifest: Manifest, good: readonly Manifest[], { last = 0, within = 0 }: Policy): string | undefined {
  if (flagsOf(state, manifest).quarantine !== undefined) return undefined
  const younger = good.filter((each) => isYounger(each, manifest))
  if (younger.length === 0) return 'it is the newest good point'
  if (younger.length < last) return `only ${younger.length} are younger`
  const newest = Math.max(...good.map(({ createdAt }) => Date.parse(createdAt)))
  if (newest - Date.parse(manifest.createdAt) < within) return 'it is young'
  const isVerified = (each: Manifest) => flagsOf(state, each).verifiedAt !== undefined
  return isVerified(manifest) && !younger.some(isVerified) ? 'it is the newest that was verified' : undefined
}

/** Two backups that planned at the same time have the same sequence. */
const isYounger = (one: Manifest, other: Manifest): boolean =>
  one.sequence > other.sequence || (one.sequence === other.sequence && one.point > other.point)

const planIsKnown = ({ plans }: StoreView, { plan }: Manifest): boolean => plan !== undefined && plans.has(plan)

const flagsOf = ({ flags }: StoreView, { folder }: Manifest) => flags.get(`main\n${folder}`) ?? {}
