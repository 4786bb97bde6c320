import type { Finding } from '@holdfast/core/offline'
import { formatBytes, formatDuration, HoldfastError } from '@holdfast/core/spec'
import { clusterBytes } from '@holdfast/disk-image'
import { checkWorkload, choosePoint, findPoint, noPoint, workloadText } from '../choose-point.ts'
import type { Command, Words } from '../command.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import type { Host } from '../host.ts'
import { type OpenFolder, openFolder } from '../open-folder.ts'
import { counted, jsonText, printable } from '../printable.ts'
import { type ShownProgress, showProgress } from '../progress-line.ts'
import { repositoryJson } from './points.ts'

const details = `Without a point, all are verified, oldest first; a named point with everything it builds on. Every stored byte is read and compared with the
hashes in the manifests; --quick only looks whether the files are there and have the right size. A finding is told when it is found, on the
standard output: the file, of a disk the damaged parts as the guest sees them, and which other points build on it. Progress goes to standard
error. Nothing is written, so nothing is quarantined either. Where there is no point to verify it ends with 2: nothing was proven.

Examples:
  holdfast verify /srv/backup/points
  holdfast verify /srv/backup/points --quick
  holdfast verify /srv/backup/points 20261120T020000Z-2db25c260b438de4
  holdfast verify /srv/backup/points latest --workload docker/shop-db
`

/** `holdfast verify`. */
export const verifyCommand: Command = {
  name: 'verify',
  usage: 'FOLDER [POINT...] [--workload PROVIDER/ID] [--quick] [--json]',
  summary: 'Checks restore points against their hashes. Ends with 1 when anything is damaged.',
  details,
  options: ['workload', 'quick', 'json'],
  points: { least: 0, most: Number.POSITIVE_INFINITY },
  run,
}

async function run(words: Words, host: Host): Promise<ExitCode> {
  const progress = showProgress(host)
  const begin = host.clock.monotonic()
  try {
    const repository = await openFolder(words.folder, host, progress)
    const folders = foldersOf(repository, words, progress)
    const { findings, points, quarantined } = await verify(repository, words, folders, progress, host)
    progress.end()
    if (points === 0 && findings.length === 0) throw nothingVerified(repository, host)
    const mode = words.quick ? 'quick' : 'full'
    const { bytes } = progress.meter.snapshot()
    if (words.json) {
      host.write(jsonText({ repository: repositoryJson(repository), mode, points, bytes, findings, notes: repository.notes }))
    } else {
      for (const note of repository.notes) host.tell(`Note: ${printable(note)}\n`)
      const read = words.quick ? 'names and sizes' : `${formatBytes(bytes)} read in ${formatDuration(host.clock.monotonic() - begin)}`
      const verdict = findings.length === 0 ? 'all good' : counted(findings.length, 'finding')
      // Names and sizes cannot take back what a full verification has found.
      const besides = words.quick && quarantined > 0 ? `; ${counted(quarantined, 'point')} quarantined (holdfast points)` : ''
      host.write(`${counted(points, 'point')} verified, ${read}: ${verdict}${besides}\n`)
    }
    return findings.length === 0 ? exitCodes.good : exitCodes.damage
  } finally {
    progress.end()
  }
}

/** A schedule that looks at the exit code alone must hear of a repository that was wiped, or is not mounted. */
function nothingVerified(repository: OpenFolder, { tell }: Host): HoldfastError {
  for (const note of repository.notes) tell(`Note: ${printable(note)}\n`)
  const remedy = 'Nothing was verified: check that this is the folder of the repository, and that it is mounted.'
  if (repository.points.length === 0) return noPoint(repository, remedy)
  return new HoldfastError('NOT_FOUND', `What was to be verified in ${repository.root} was deleted meanwhile.`, {
    remedy: 'Nothing was verified: list the points that there are (holdfast points).',
  })
}

/** Undefined: all. Also points whose manifest cannot be read: that is what is then found of them. */
function foldersOf(repository: OpenFolder, { points, workload }: Words, progress: ShownProgress): readonly string[] | undefined {
  checkWorkload(repository, workload)
  if (points.length === 0) {
    if (workload === undefined) return undefined
    const all = [...repository.points, ...repository.unreadable]
    return all.filter((point) => point.workload !== undefined && workloadText(point.workload) === workload).map(({ folder }) => folder)
  }
  return points.map((word) => {
    if (word !== 'latest') return findPoint(repository, word, workload).folder
    const { point, warnings } = choosePoint(repository, word, workload)
    for (const warning of warnings) progress.tell(`Warning: ${printable(warning)}`)
    return point.folder
  })
}

async function verify(
  repository: OpenFolder,
  { quick, json }: Words,
  folders: readonly string[] | undefined,
  progress: ShownProgress,
  { signal, write }: Host,
): Promise<{ readonly findings: readonly Finding[]; readonly points: number; readonly quarantined: number }> {
  const findings: Finding[] = []
  let [points, seen] = [0, 0]
  const quarantined = new Set(repository.points.filter((each) => each.flags.quarantine !== undefined).map(({ id }) => id))
  const options = { mode: quick ? 'quick' : 'full', meter: progress.meter, signal, ...(folders !== undefined && { folders }) } as const
  for await (const { point, findings: found } of repository.verify(options)) {
    if (point !== '') points++
    if (quarantined.has(point)) seen++
    findings.push(...found)
    if (found.length > 0) progress.pause()
    if (!json) for (const finding of found) write(findingText(finding))
    if (found.length === 0 && !quick && quarantined.has(point))
      progress.tell(`Note: point ${point} is quarantined, but every byte of it is as its manifest says.`)
  }
  return { findings, points, quarantined: seen }
}

/** One line, and below it what of which disk is damaged. The file is named once, whoever wrote the message. */
function findingText({ file, message, disk, affects }: Finding): string {
  const lines = [`DAMAGED ${printable(message.includes(file) ? message : `${file}: ${message}`)}`]
  if (disk !== undefined) lines.push(...diskLines(disk))
  if (affects !== undefined) lines.push(`points that build on it: ${affects.join(', ')}`)
  return `${lines.join('\n  ')}\n`
}

function diskLines({ key, clusters, ranges }: NonNullable<Finding['disk']>): readonly string[] {
  const lines = ranges.map(({ cluster, offset, length }) => {
    const last = Math.floor((offset + length - 1) / clusterBytes)
    return `disk ${printable(key)}, guest offset ${offset} to ${offset + length - 1} (${cluster === last ? `cluster ${cluster}` : `clusters ${cluster} to ${last}`})`
  })
  const told = ranges.reduce((sum, { length }) => sum + Math.ceil(length / clusterBytes), 0)
  if (clusters > told) lines.push(`and ${counted(clusters - told, 'more cluster')}`)
  return lines
}
