import { resolve } from 'node:path'
import type { OfflinePoint } from '@holdfast/core/offline'
import { codeOf, formatBytes, HoldfastError } from '@holdfast/core/spec'
import { choosePoint, workloadText } from '../choose-point.ts'
import type { Command, Words } from '../command.ts'
import { type ExitCode, exitCodeOf, exitCodes, isDamage } from '../exit-codes.ts'
import type { Host } from '../host.ts'
import { type OpenFolder, openFolder } from '../open-folder.ts'
import { counted, jsonText, printable, table } from '../printable.ts'
import { type ShownProgress, showProgress } from '../progress-line.ts'
import { type ItemContext, type PlannedItem, planItems, type RestoredItem, restoreItem } from '../restore/restore-items.ts'
import { chooseDisk, type Destination, parseDestination, sendDisk } from '../restore/send-disk.ts'
import { openTarget } from '../restore/target-folder.ts'
import { errorText } from '../tell-error.ts'
import { repositoryJson } from './points.ts'

const details = `Writes the items of a point into an empty folder, and never beside other files or into the repository. Archives are decompressed to .tar, or unpacked
with --extract (as root, with their owners). A disk becomes one file, also when the point is incremental: what it builds on is merged on the way.
Other files keep their names. No machine, volume or engine is touched. With --disk only that disk is written.

Formats of disks: qcow2; raw, the bytes of the disk; vmdk, streamOptimized and compressed, as imports of machines take it; vmdk-stored, the same
uncompressed, whose length is known beforehand. A disk that was kept as an export of a machine stays the file it was; sent, it has the format you name.

Each hash is compared while it is written. An item has its name only when it is whole and on the disk; what is unfinished is hidden, and removed when the
command fails. When an item is damaged, the others are restored all the same, and the command ends with 1.

With --to one disk is sent as it is read, without any file: to the standard output (-), or with one HTTP PUT to an address, where user and password may
be part of it. Its exact length is told on the standard error before the first byte, and is the Content-Length of the PUT (not of vmdk). Every cluster is
checked before it leaves. What ends in an error was not the disk, also if something came there: the exit code is not 0, and a PUT is cut.

Examples:
  holdfast restore /srv/backup/points latest --workload docker/shop-db --into /mnt/new/shop-db --extract
  holdfast restore /srv/backup/points 20261120T020000Z-2db25c260b438de4 --into /mnt/new/web --format raw
  set -o pipefail; holdfast restore /srv/backup/points latest --workload ovirt/8f2c1d9e --disk d0 --format raw --to - | ssh host 'cat > /dev/vg/web'
  holdfast restore /srv/backup/points latest --workload ovirt/8f2c1d9e --disk d0 --to https://images.example.org/web.qcow2
`

/** `holdfast restore`. */
export const restoreCommand: Command = {
  name: 'restore',
  usage:
    'FOLDER POINT|latest --into NEW-FOLDER|--to -|URL [--workload PROVIDER/ID] [--disk KEY] [--extract] [--format qcow2|raw|vmdk|vmdk-stored] [--json]',
  summary: 'Writes a restore point as plain files, disks as one merged image, archives as .tar or unpacked; or sends one disk.',
  details,
  options: ['into', 'to', 'workload', 'disk', 'extract', 'format', 'json'],
  points: { least: 1, most: 1 },
  run,
}

/** A folder to write into, absolute, or where one disk is sent. */
function goalOf({ into, to, extract, json }: Words, host: Host): { readonly into: string } | { readonly to: Destination } {
  const refuse = (problem: string, remedy: string) => new HoldfastError('INVALID_OPTIONS', problem, { remedy })
  if (into !== undefined && to !== undefined) throw refuse('--into and --to are two places.', 'Leave one of them away.')
  if (into !== undefined) return { into: resolve(host.folder, into) }
  if (to === undefined)
    throw refuse('Where to? --into is missing.', 'Add --into with a folder that is new or empty, or --to to send one disk.')
  if (extract) throw refuse('--extract unpacks archives, and --to sends a disk.', 'Leave one of them away.')
  if (to === '-' && json)
    throw refuse(
      'With --to - the standard output is the disk, so there is no place for JSON.',
      'Leave --json away: the length is told on the standard error.',
    )
  return { to: parseDestination(to, host) }
}

/** What became of the items. */
interface Outcome {
  readonly complete: readonly RestoredItem[]
  readonly incomplete: readonly { readonly name: string; readonly error: unknown }[]
}

async function run(words: Words, host: Host): Promise<ExitCode> {
  const goal = goalOf(words, host)
  const progress = showProgress(host)
  const warnings: string[] = []
  const warn = (message: string) => {
    warnings.push(message)
    progress.tell(`Warning: ${printable(message)}`)
  }
  try {
    const repository = await openFolder(words.folder, host, progress)
    const { point, warnings: ofChoice } = choosePoint(repository, words.points[0] ?? '', words.workload)
    for (const warning of ofChoice) warn(warning)
    const opened = await repository.open(point, { signal: host.signal, meter: progress.meter })
    if ('to' in goal) {
      const { key } = chooseDisk(opened, words.disk)
      const sent = await sendDisk(key, words.format, goal.to, { opened, host, tell: progress.tell })
      progress.end()
      if (words.json) host.write(jsonText({ ...pointJson(repository, point), ...sent, warnings }))
      return exitCodes.good
    }
    const only = words.disk === undefined ? undefined : chooseDisk(opened, words.disk).key
    const target = await openTarget(goal.into, repository.root)
    const items = planItems(opened.manifest, words).filter(({ item }) => only === undefined || item.disk?.key === only)
    if (words.extract && !items.some(({ kind }) => kind === 'folder'))
      warn('--extract: there was nothing to unpack. The point holds no archive, and disks and other files are written as they are.')
    const outcome = await restoreAll(items, { opened, target, meter: progress.meter, host, warn })
    if (outcome.complete.length === 0) await target.giveUp()
    progress.end()
    if (words.json) host.write(jsonText({ ...pointJson(repository, point), ...outcomeJson(target.path, outcome), warnings }))
    else host.write(textOf(point, target.path, outcome))
    return tellFailures(outcome, progress, target.path)
  } finally {
    progress.end()
  }
}

/** One after the other. Damage of one item says nothing of the next; a full disk, or Ctrl-C, ends them all. */
async function restoreAll(items: readonly PlannedItem[], context: ItemContext): Promise<Outcome> {
  const complete: RestoredItem[] = []
  const incomplete: { name: string; error: unknown }[] = []
  let over: unknown
  for (const [index, item] of items.entries()) {
    if (over !== undefined) {
      incomplete.push({ name: item.name, error: notBegun(over) })
      continue
    }
    context.meter.step(`restoring ${item.name} (${index + 1} of ${items.length})`)
    try {
      complete.push(await restoreItem(item, context))
    } catch (error) {
      incomplete.push({ name: item.name, error })
      if (!isDamage(error) && codeOf(error) !== 'UNSUPPORTED') over = error
    }
  }
  return { complete, incomplete }
}

function notBegun(error: unknown): HoldfastError {
  const message = 'not begun, because the one before it failed'
  if (!HoldfastError.isInstance(error)) return new HoldfastError('INTERNAL', message, { cause: error })
  return new HoldfastError(error.code, message, { cause: error, remedy: error.remedy })
}

const pointJson = (repository: OpenFolder, point: OfflinePoint) => ({
  repository: repositoryJson(repository),
  point: point.id,
  workload: workloadText(point.workload),
})

function outcomeJson(folder: string, { complete, incomplete }: Outcome) {
  const failed = incomplete.map(({ name, error }) => ({
    name,
    code: codeOf(error) ?? 'INTERNAL',
    problem: error instanceof Error ? error.message : String(error),
  }))
  return { folder, complete, incomplete: failed }
}

function textOf(point: OfflinePoint, folder: string, { complete, incomplete }: Outcome): string {
  if (complete.length === 0 && incomplete.length > 0) return ''
  const rows = complete.map((item) => [item.kind === 'folder' ? `${item.name}/` : item.name, whatItIs(item)])
  const list = rows.length === 0 ? '  The point holds nothing.\n' : table(['FILE', 'WHAT'], rows)
  const verdict = incomplete.length === 0 ? 'Every hash matched.\n' : ''
  return `Point ${point.id} of ${printable(workloadText(point.workload))} in ${printable(folder)}:\n${list}${verdict}`
}

function whatItIs({ kind, size, written, sha256, entries, disk }: RestoredItem): string {
  if (entries !== undefined)
    return `${counted(entries.files, 'file')}, ${counted(entries.folders, 'folder')}, ${counted(entries.links, 'link')}, unpacked from ${formatBytes(size)}`
  const what = disk === undefined ? kind : printable(`disk "${disk.name}"`)
  return `${what}, ${formatBytes(size)}, ${sha256 === undefined ? `${formatBytes(written)} written` : `sha256 ${sha256}`}`
}

function tellFailures({ complete, incomplete }: Outcome, progress: ShownProgress, folder: string): ExitCode {
  const [first] = incomplete
  if (first === undefined) return exitCodes.good
  for (const { name, error } of incomplete) progress.tell(`NOT RESTORED ${printable(name)}\n${errorText(error).trimEnd()}`)
  const what = complete.length === 0 ? 'nothing' : `${counted(complete.length, 'whole item')}, as listed`
  progress.tell(
    `Incomplete: ${folder} holds ${what}; ${counted(incomplete.length, 'item')} could not be restored, and nothing of them is left there.`,
  )
  return exitCodeOf((incomplete.find(({ error }) => !isDamage(error)) ?? first).error)
}
