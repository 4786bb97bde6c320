import { resolve } from 'node:path'
import type { OfflinePoint } from '@holdfast/core/offline'
import { codeOf, formatBytes, HoldfastError } from '@holdfast/core/spec'
import { choosePoint, workloadText } from '../choose-point.ts'
import type { Command, Words } from '../command.ts'
import { type ExitCode, exitCodeOf, exitCodes, isDamage } from '../exit-codes.ts'
import type { Host } from '../host.ts'
import { openFolder } from '../open-folder.ts'
import { counted, jsonText, printable, table } from '../printable.ts'
import { type ShownProgress, showProgress } from '../progress-line.ts'
import { type ItemContext, type PlannedItem, planItems, type RestoredItem, restoreItem } from '../restore/restore-items.ts'
import { openTarget } from '../restore/target-folder.ts'
import { errorText } from '../tell-error.ts'
import { repositoryJson } from './points.ts'

const details = `Writes the items of a point into an empty folder, and never beside other files or into the repository. Archives are decompressed to .tar, or unpacked
with --extract (as root, with their owners). A disk becomes one file, also when the point is incremental: what it builds on is merged on the way.
Other files keep their names. No machine, volume or engine is touched.

Each hash is compared while it is written. An item has its name only when it is whole and on the disk; what is unfinished is hidden, and removed when the
command fails. When an item is damaged, the others are restored all the same, and the command ends with 1.

Examples:
  holdfast restore /srv/backup latest --workload docker/shop-db --into /mnt/new/shop-db --extract
  holdfast restore /srv/backup 20261120T020000Z-2db25c260b438de4 --into /mnt/new/web --format raw
`

/** `holdfast restore`. */
export const restoreCommand: Command = {
  name: 'restore',
  usage: 'FOLDER POINT|latest --into NEW-FOLDER [--workload PROVIDER/ID] [--extract] [--format qcow2|raw] [--json]',
  summary: 'Writes a restore point as plain files: disks as one merged image, archives as .tar or unpacked.',
  details,
  options: ['into', 'workload', 'extract', 'format', 'json'],
  points: { least: 1, most: 1 },
  run,
}

/** What became of the items. */
interface Outcome {
  readonly complete: readonly RestoredItem[]
  readonly incomplete: readonly { readonly name: string; readonly error: unknown }[]
}

async function run(words: Words, host: Host): Promise<ExitCode> {
  if (words.into === undefined)
    throw new HoldfastError('INVALID_OPTIONS', 'Where to? --into is missing.', { remedy: 'Add --into with a folder that is new or empty.' })
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
    const target = await openTarget(resolve(host.folder, words.into), repository.root)
    const items = planItems(opened.manifest, words)
    if (words.extract && !items.some(({ kind }) => kind === 'folder'))
      warn('--extract: there was nothing to unpack. The point holds no archive, and disks and other files are written as they are.')
    const outcome = await restoreAll(items, { opened, target, meter: progress.meter, host, warn })
    if (outcome.complete.length === 0) await target.giveUp()
    progress.end()
    if (words.json) host.write(jsonText(jsonOf(repositoryJson(repository), point, target.path, outcome, warnings)))
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

function jsonOf(repository: object, point: OfflinePoint, folder: string, { complete, incomplete }: Outcome, warnings: readonly string[]) {
  const failed = incomplete.map(({ name, error }) => ({
    name,
    code: codeOf(error) ?? 'INTERNAL',
    problem: error instanceof Error ? error.message : String(error),
  }))
  return { repository, point: point.id, workload: workloadText(point.workload), folder, complete, incomplete: failed, warnings }
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
