import { withAffected } from '../chain/affected-points.ts'
import { readSmallFile } from '../engine/points/point-folder.ts'
import { quickCheck } from '../engine/points/quick-check.ts'
import type { Manifest } from '../model/manifest-types.ts'
import { manifestPath, pointOf, repositoryFileName } from '../model/names.ts'
import { decodeRepositoryFile } from '../model/repository-file.ts'
import type { Finding } from '../model/run-outcome.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import { type ProgressMeter, verifyPoint } from '../transfer/index.ts'
import type { Judged } from './judge-points.ts'
import type { OfflinePoint, OfflineVerifyOptions, VerifiedPoint } from './offline-types.ts'
import { type OfflineReading, readManifest } from './open-point.ts'
import { isUnreadable, readOrTell, repositoryName } from './read-folder.ts'

/** `known`: what was found when the manifests were read; each finding is told with its point, and once. */
export async function* verifyPoints(
  reading: OfflineReading,
  judged: Judged,
  known: readonly Finding[],
  { folders, mode, meter, signal }: OfflineVerifyOptions,
): AsyncGenerator<VerifiedPoint, void, undefined> {
  const told = new Set<string>()
  const fresh = (findings: readonly Finding[]) =>
    findings.filter(({ point, file, message }) => {
      const key = JSON.stringify([point, file, message])
      return told.has(key) ? false : told.add(key)
    })
  const affected = (findings: readonly Finding[]) => withAffected(findings, judged.points.map(lineageOf))
  const chosen = choose(judged, folders)
  meter.expect(mode === 'full' ? chosen.reduce((sum, point) => sum + point.verifyBytes, 0) : 0)
  const inPoints = new Set(chosen.map((point) => point.folder))
  const outside = known.filter(({ file }) => !inPoints.has(folderOf(file)) && isWanted(file, folders))
  for (const point of new Set(outside.map((finding) => finding.point)))
    yield { point, findings: affected(fresh(outside.filter((finding) => finding.point === point))) }
  for (const [index, point] of chosen.entries()) {
    meter.step(`verifying ${point.id} (${index + 1} of ${chosen.length})`)
    const seen = known.filter(({ file }) => folderOf(file) === point.folder)
    const found = await findingsOf(reading, judged, point, mode, {
      meter: pointMeter(meter, `of ${point.id} (${index + 1} of ${chosen.length})`),
      signal,
    })
    const findings = affected(fresh([...seen, ...found]))
    // Its owner may delete it meanwhile; then there is nothing to say of it.
    if (findings.length === 0 || (await isThere(reading, point, { signal }))) yield { point: point.id, findings }
    else await requireStillThere(reading, { signal })
  }
}

const lineageOf = ({ id, parents, summary: { disks } }: OfflinePoint) => ({ id, parents, disks })

/** A share that was unmounted has nothing of anything: then it was not the owner who has deleted. */
async function requireStillThere({ repository, repositoryId }: OfflineReading, options: CallOptions): Promise<void> {
  const gone = (why: string) =>
    new HoldfastError('REPOSITORY_MISSING', `the repository went away while it was read: ${why}`, {
      remedy: 'Mount the disk or share again, then verify again.',
    })
  if (repositoryId === undefined) {
    for await (const _ of repository.list('', options)) return
    throw gone('its folder is empty')
  }
  const bytes = await readSmallFile(repository, repositoryFileName, options)
  if (bytes === undefined) throw gone(`there is no ${repositoryFileName} any more`)
  if (decodeRepositoryFile(bytes).repositoryId !== repositoryId) throw gone('another one is in its place')
}

async function isThere({ repository }: OfflineReading, { folder, number }: OfflinePoint, options: CallOptions): Promise<boolean> {
  const { state } = await readOrTell(repository, { repository: repositoryName, folder, number }, options)
  return state === 'live' || state === 'damaged'
}

const folderOf = (file: string): string => file.split('/').slice(0, 2).join('/')
const isWanted = (file: string, folders: readonly string[] | undefined): boolean =>
  folders === undefined || file === repositoryFileName || folders.includes(folderOf(file))

/** Oldest first, so that the cause of damage is told before its effects; named points with what they build on. */
function choose({ points, chain }: Judged, folders: readonly string[] | undefined): readonly OfflinePoint[] {
  const wanted = folders === undefined ? points : points.filter((point) => folders.includes(point.folder)).flatMap(chain)
  const set = new Set(wanted)
  return points.filter((point) => set.has(point)).reverse()
}

/** What is expected was told for all points at once: so the time left is that of everything. */
function pointMeter(meter: ProgressMeter, which: string): ProgressMeter {
  return { ...meter, expect: () => {}, step: (text) => meter.step(`${text} ${which}`) }
}

async function findingsOf(
  reading: OfflineReading,
  { chain }: Judged,
  point: OfflinePoint,
  mode: OfflineVerifyOptions['mode'],
  options: CallOptions & { readonly meter: ProgressMeter },
): Promise<readonly Finding[]> {
  const file = manifestPath(point.folder, point.number)
  const manifest = await readManifest(reading.repository, point, options)
  if (manifest instanceof HoldfastError) return [{ point: point.id, file, message: manifest.message }]
  const findings: Finding[] = []
  if (point.state === 'incomplete') findings.push({ point: point.id, file, message: point.problem ?? '' })
  const ancestors = new Map<string, Manifest>()
  for (const below of chain(point).slice(1)) {
    const read = await readManifest(reading.repository, below, options)
    if (!(read instanceof HoldfastError)) ancestors.set(below.id, read)
  }
  const context = { ...reading, ...options, point: manifest, ancestors }
  try {
    const found = mode === 'quick' ? quickCheck(reading.repository, manifest, options) : verifyPoint(context)
    for await (const finding of found) findings.push(finding)
  } catch (error) {
    findings.push(await unreadable(reading, point, error, options))
  }
  return findings
}

/** A block that the disk cannot read is damage of this point; a repository that went away says nothing of any point. */
async function unreadable(reading: OfflineReading, point: OfflinePoint, error: unknown, options: CallOptions): Promise<Finding> {
  if (!isUnreadable(error)) throw error
  const seen = await readManifest(reading.repository, point, options)
  if (seen instanceof HoldfastError) throw error
  const message = `${error.message}; the rest of this point was not read`
  return { point: point.id, file: manifestPath(point.folder, point.number), message: `${pointOf(point)}: ${message}` }
}
