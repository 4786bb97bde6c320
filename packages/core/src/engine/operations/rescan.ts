import type { Manifest } from '../../model/manifest.ts'
import { flagPath, manifestPath, parseRepositoryPath, pointOf, repositoryFileName, workloadFolder, workloadKey } from '../../model/names.ts'
import { pointRow, pointSummary } from '../../model/point-row.ts'
import type { RepositoryFile } from '../../model/repository-file.ts'
import type { RescanInput } from '../../model/run-input.ts'
import type { Finding, RescanOutcome } from '../../model/run-outcome.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { Repository } from '../../spec/repository.ts'
import type { Catalog, Flags, ManifestRef, PointRow } from '../../spec/store.ts'
import type { WorkloadRef } from '../../spec/workload.ts'
import { isMediaError } from '../media-errors.ts'
import { type EngineParts, repositoryNamed } from '../parts.ts'
import { referenceOf } from '../points/catalog-view.ts'
import { requireReadable, requireRepository, requireStillThere, writeOwner } from '../points/ownership.ts'
import { readPointFlags } from '../points/point-flags.ts'
import { type NumberState, readNumber } from '../points/point-folder.ts'
import type { Attempt } from '../runs/attempt.ts'
import { plainResult, type Success } from '../runs/finish.ts'

const casTries = 20
/** What `takeOver` says of a repository whose owner cannot be read. */
const damagedOwner = 'damaged'

/** Whose points are compared with the catalog. Without `repositoryId` manifests of any repository count. */
interface SyncedHome {
  readonly repository: string
  readonly workload: string
  readonly repositoryId?: string
}

interface Counts {
  added: number
  removed: number
  findings: Finding[]
}

/** Makes the catalog say what the repository holds. It never deletes a byte; with `takeOver` it writes the new owner at the end and nothing else. */
export async function rescan(parts: EngineParts, attempt: Attempt, input: RescanInput): Promise<Success> {
  const options = { signal: attempt.signal }
  const file = await requireReadable(parts, input.repository, options)
  const owner = file?.owner ?? damagedOwner
  // An attempt that died after it had become the owner is done again.
  const ours = owner === parts.identity().storeId
  if (input.takeOver !== undefined && input.takeOver !== owner && !ours) {
    throw new HoldfastError(
      'INVALID_OPTIONS',
      `takeOver names ${input.takeOver}, but repository "${input.repository}" is ${file ? `owned by ${owner}` : 'damaged: its owner cannot be read'}.`,
      {
        remedy: `Give takeOver: '${owner}', if no other catalog uses this repository any more.`,
      },
    )
  }
  const damage = { point: '', file: repositoryFileName, message: `${repositoryFileName} does not verify` }
  const counts: Counts = { added: 0, removed: 0, findings: file ? [] : [damage] }
  const folders = await workloadFolders(repositoryNamed(parts, input.repository), options)
  const seen = new Set<string>()
  for (const [home, points] of folders) {
    attempt.meter.step(`reading ${home}`)
    const workload = await workloadOf(parts, input.repository, home, points, options)
    if (workload === undefined) {
      counts.findings.push(...(await damagedIn(parts, input.repository, points, options)))
      continue
    }
    seen.add(workload)
    const where = { repository: input.repository, workload, home, ...(file && { repositoryId: file.repositoryId }) }
    await syncWorkload(parts, attempt, where, counts, options)
  }
  for await (const workload of parts.store.points.workloads(input.repository, options)) {
    const where = { repository: input.repository, workload, ...(file && { repositoryId: file.repositoryId }) }
    if (!seen.has(workload)) await syncWorkload(parts, attempt, where, counts, options)
  }
  if (input.takeOver !== undefined) {
    const now = file ? await requireRepository(parts, input.repository, options) : await fileFromPoints(parts, input.repository, options)
    await writeOwner(parts, input.repository, now, options)
  }
  const result: RescanOutcome = { repository: input.repository, added: counts.added, removed: counts.removed, findings: counts.findings }
  return { result: plainResult(result) }
}

/** A damaged `repository.json` as the points know it: every manifest carries the repository's id. */
async function fileFromPoints(parts: EngineParts, repository: string, options: CallOptions): Promise<RepositoryFile> {
  const ids = new Set<string>()
  for await (const workload of parts.store.points.workloads(repository, options))
    for (const row of (await parts.store.points.catalog(repository, workload, options)).points) ids.add(pointSummary(row).repositoryId)
  const [repositoryId = parts.ids.next(), ...others] = ids
  if (others.length > 0)
    throw new HoldfastError('REPOSITORY_DAMAGED', `The points in repository "${repository}" come from several: ${[...ids].join(', ')}.`, {
      remedy: 'Restore repository.json from a copy.',
    })
  return { formatVersion: 1, repositoryId, owner: '', epoch: 0 }
}

/** Workload folder to the point folders in it, as a listing shows them. */
async function workloadFolders(
  repository: Repository,
  options: CallOptions,
): Promise<ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>> {
  const homes = new Map<string, Map<string, number[]>>()
  for await (const file of repository.list('', options)) {
    const parsed = parseRepositoryPath(file.path)
    if (parsed.kind !== 'manifest') continue
    const home = parsed.folder.slice(0, parsed.folder.indexOf('/'))
    const points = homes.get(home) ?? new Map<string, number[]>()
    points.set(parsed.folder, [...(points.get(parsed.folder) ?? []), parsed.number])
    homes.set(home, points)
  }
  return homes
}

/** Any readable manifest that belongs here tells whose folder it is. */
async function workloadOf(
  parts: EngineParts,
  repository: string,
  home: string,
  points: ReadonlyMap<string, readonly number[]>,
  options: CallOptions,
): Promise<string | undefined> {
  for (const [folder, numbers] of points) {
    for (const number of numbers) {
      const seen = await readOrTell(repositoryNamed(parts, repository), { repository, folder, number }, options)
      if (seen.state === 'live' && livesIn(seen.manifest.workload, home)) return workloadKey(seen.manifest.workload)
    }
  }
  return undefined
}

/** Of a folder in which no manifest tells whose it is: nobody else would say that its points are lost. */
async function damagedIn(
  parts: EngineParts,
  repository: string,
  points: ReadonlyMap<string, readonly number[]>,
  options: CallOptions,
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const [folder, numbers] of points) {
    for (const number of numbers) {
      const seen = await readOrTell(repositoryNamed(parts, repository), { repository, folder, number }, options)
      if (seen.state !== 'damaged') continue
      findings.push({ point: pointOf({ folder }), file: manifestPath(folder, number), message: seen.error.message })
    }
  }
  return findings
}

/** Compare-and-set against the version read before the listing (rule rescan-cas): what changed meanwhile is looked at again. */
export async function syncWorkload(
  parts: EngineParts,
  attempt: Attempt,
  where: SyncedHome & { readonly home?: string },
  counts: Counts,
  options: CallOptions,
): Promise<void> {
  const { repository, workload, home } = where
  for (let tried = 0; tried < casTries; tried++) {
    const catalog = await parts.store.points.catalog(repository, workload, options)
    const findings: Finding[] = []
    const found = home === undefined ? [] : await readHome(parts, { ...where, home }, findings, options)
    // A flag is set in the store before its file is there: one that only the store knows may be on its way, so it stays.
    const flagsOf = new Map(catalog.points.map((row) => [row.folder, row.flags]))
    const present = found.map((row) => ({ ...row, flags: { ...flagsOf.get(row.folder), ...row.flags } }))
    const gone = await provenGone(parts, repository, catalog, present, options)
    if (gone.length > 0) await requireStillThere(parts, repository, where.repositoryId, options)
    const known = new Set(catalog.points.map(pathOf))
    const added = present.filter((row) => !known.has(pathOf(row)))
    if (!(await parts.store.points.sync(attempt.lease, repository, workload, catalog.version, present, gone, options))) continue
    counts.added += added.length
    counts.removed += gone.length
    counts.findings.push(...findings)
    return
  }
  throw new HoldfastError('STORE_BUSY', `The points of ${workload} in "${repository}" change faster than they can be read.`)
}

async function readHome(
  parts: EngineParts,
  where: SyncedHome & { readonly home: string },
  findings: Finding[],
  options: CallOptions,
): Promise<readonly (PointRow & { readonly flags: Flags })[]> {
  const { repository, home } = where
  const storage = repositoryNamed(parts, repository)
  const numbers = new Map<string, number[]>()
  for await (const file of storage.list(`${home}/`, options)) {
    const parsed = parseRepositoryPath(file.path)
    if (parsed.kind === 'manifest') numbers.set(parsed.folder, [...(numbers.get(parsed.folder) ?? []), parsed.number])
  }
  const rows: (PointRow & { flags: Flags })[] = []
  for (const [folder, manifests] of numbers) {
    await storage.sync(folder, options)
    const { flags, damaged } = await readPointFlags(storage, folder, options)
    findings.push(
      ...damaged.map(({ flag, error }) => ({ point: pointOf({ folder }), file: flagPath(folder, flag), message: error.message })),
    )
    for (const number of manifests) {
      const seen = await readOrTell(storage, { repository, folder, number }, options)
      const stranger = seen.state === 'live' ? strangerBecause(seen.manifest, where) : undefined
      if (seen.state === 'live' && stranger === undefined) rows.push({ ...pointRow(repository, seen.manifest), flags })
      const problem = seen.state === 'damaged' ? seen.error.message : stranger
      if (problem !== undefined) findings.push({ point: pointOf({ folder }), file: manifestPath(folder, number), message: problem })
    }
  }
  return rows
}

const pathOf = ({ folder, number }: Pick<ManifestRef, 'folder' | 'number'>): string => manifestPath(folder, number)

/** Only the hash identifies. */
function livesIn(workload: WorkloadRef, home: string): boolean {
  return workloadFolder(workload).split('-').at(-1) === home.split('-').at(-1)
}

/** Why a manifest that verifies is no point of this workload in this repository. One that was copied here by hand must not speak for the rest. */
export function strangerBecause(manifest: Manifest, { workload, repositoryId }: Omit<SyncedHome, 'repository'>): string | undefined {
  const path = manifestPath(manifest.folder, manifest.number)
  const key = workloadKey(manifest.workload)
  if (key !== workload) return `${path} is of workload ${key}, but lies in the folder of ${workload}`
  if (repositoryId === undefined || manifest.repositoryId === repositoryId) return undefined
  return `${path} was written for repository ${manifest.repositoryId}, not for ${repositoryId}`
}

/** A row goes only after an exact read of its manifest finds nothing, or finds the number dead (rule rescan-probes): a listing may lag. */
async function provenGone(
  parts: EngineParts,
  repository: string,
  catalog: Catalog,
  present: readonly ManifestRef[],
  options: CallOptions,
): Promise<readonly ManifestRef[]> {
  const gone: ManifestRef[] = []
  const seen = new Set(present.map(pathOf))
  for (const row of catalog.points) {
    if (row.condemned || seen.has(pathOf(row))) continue
    const now = await readOrTell(repositoryNamed(parts, repository), row, options)
    if (now.state === 'absent' || now.state === 'dead') gone.push(referenceOf(row))
  }
  return gone
}

/** A bad block under one manifest must not hide all the other points: it is a finding, and its row stays. */
async function readOrTell(storage: Repository, reference: ManifestRef, options: CallOptions): Promise<NumberState> {
  try {
    return await readNumber(storage, reference, options)
  } catch (error) {
    if (!isMediaError(error)) throw error
    return { state: 'damaged', error }
  }
}
