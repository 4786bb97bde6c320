import type { OfflinePoint, UnreadablePoint } from '@holdfast/core/offline'
import { formatBytes } from '@holdfast/core/spec'
import { checkWorkload, timeOf, workloadsOf, workloadText } from '../choose-point.ts'
import type { Command, Words } from '../command.ts'
import { pointHead, pointRow } from '../describe-point.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import type { Host } from '../host.ts'
import { type OpenFolder, openFolder } from '../open-folder.ts'
import { counted, jsonText, printable, shortTime, table } from '../printable.ts'
import { showProgress } from '../progress-line.ts'

const details = `Points are listed by workload, newest first. SIZE is what the machine or volume provides, STORED what the point takes in the repository. STATE:
  good         as far as its manifest tells; "holdfast verify" reads the data too
  quarantined  a verification has found damage in it, or in what it builds on
  incomplete   it builds on a point that is not there or cannot be read
  foreign      it was written for another repository and copied here
  DAMAGED      its manifest cannot be read; other points are not concerned

Examples:
  holdfast points /srv/backup/points
  holdfast points /srv/backup/points --workload docker/shop-db
  holdfast points /srv/backup/points --json
`

/** `holdfast points`. */
export const pointsCommand: Command = {
  name: 'points',
  usage: 'FOLDER [--workload PROVIDER/ID] [--json]',
  summary: 'Lists the restore points of a repository.',
  details,
  options: ['workload', 'json'],
  points: { least: 0, most: 0 },
  run,
}

async function run({ folder, workload, json }: Words, host: Host): Promise<ExitCode> {
  const progress = showProgress(host)
  try {
    const repository = await openFolder(folder, host, progress)
    checkWorkload(repository, workload)
    const isOf = (point: { readonly workload?: OfflinePoint['workload'] }) =>
      workload === undefined || (point.workload !== undefined && workloadText(point.workload) === workload)
    const points = repository.points.filter(isOf)
    const unreadable = repository.unreadable.filter(isOf)
    progress.end()
    host.write(json ? jsonText(jsonOf(repository, points, unreadable)) : textOf(repository, points, unreadable))
    return exitCodes.good
  } finally {
    progress.end()
  }
}

/** What `--json` says of a repository. */
export function repositoryJson({ root, file }: OpenFolder) {
  return { folder: root, ...(file !== undefined && { repositoryId: file.repositoryId, owner: file.owner }) }
}

function jsonOf(repository: OpenFolder, points: readonly OfflinePoint[], unreadable: readonly UnreadablePoint[]) {
  const { findings, notes } = repository
  return { repository: repositoryJson(repository), points, unreadable, findings, notes }
}

function textOf(repository: OpenFolder, points: readonly OfflinePoint[], unreadable: readonly UnreadablePoint[]): string {
  const { root, file, findings, notes } = repository
  const owner = file === undefined ? '' : `, owned by the catalog ${printable(file.owner)}; nothing is written here`
  const parts = [`Repository ${printable(root)}${owner}\n`]
  for (const workload of workloadsOf({ points })) parts.push(workloadTable(workload, points, unreadable))
  const lost = unreadable.filter((point) => point.workload === undefined)
  if (lost.length > 0) parts.push(`\nof an unknown workload\n${lines([], lost)}`)
  if (workloadsOf({ points }).length > 1)
    parts.push(`\n${counted(points.length + unreadable.length, 'point')} in all, ${storedText(points)}\n`)
  if (points.length + unreadable.length === 0) parts.push('\nIt holds no point.\n')
  const shown = new Set(unreadable.map(({ folder }) => folder))
  const others = findings.filter(({ file: path }) => ![...shown].some((folder) => path.startsWith(`${folder}/`)))
  if (others.length > 0) parts.push(`\nDamage besides:\n${others.map(({ message }) => `  ${printable(message)}\n`).join('')}`)
  if (notes.length > 0) parts.push(`\nNotes:\n${notes.map((note) => `  ${printable(note)}\n`).join('')}`)
  return parts.join('')
}

function workloadTable(workload: string, points: readonly OfflinePoint[], unreadable: readonly UnreadablePoint[]): string {
  const own = points.filter((point) => workloadText(point.workload) === workload)
  const damaged = unreadable.filter((point) => point.workload !== undefined && workloadText(point.workload) === workload)
  const { name = '', kind = '' } = own[0]?.summary ?? {}
  const called = workload.endsWith(`/${name}`) ? '' : ` "${name}"`
  const title = `${workload} (${kind}${called}, ${counted(own.length + damaged.length, 'point')}, ${storedText(own)})`
  return `\n${printable(title)}\n${lines(own, damaged)}`
}

/** What the points take in the repository together. */
const storedText = (points: readonly OfflinePoint[]): string =>
  `${formatBytes(points.reduce((sum, { summary }) => sum + summary.bytes.stored, 0))} stored`

/** Newest first; what cannot be read stands where its due time puts it. Below a row stands why it is not good. */
function lines(points: readonly OfflinePoint[], damaged: readonly UnreadablePoint[]): string {
  const rows: { readonly cells: readonly string[]; readonly problem: string | undefined }[] = []
  const waiting = [...damaged].sort((one, other) => (one.id < other.id ? 1 : -1))
  const push = (until: string) => {
    for (let next = waiting[0]; next !== undefined && timeOf(next) >= until; next = waiting[0]) {
      rows.push({ cells: [next.id, shortTime(next.due), '-', '-', '-', 'DAMAGED', ''], problem: next.problem })
      waiting.shift()
    }
  }
  for (const point of points) {
    push(timeOf(point))
    rows.push({ cells: pointRow(point), problem: point.problem })
  }
  push('')
  const [head = '', ...body] = table(
    pointHead,
    rows.map(({ cells }) => cells),
  ).split('\n')
  return [
    head,
    ...rows.flatMap(({ problem }, index) => [body[index] ?? '', ...(problem === undefined ? [] : [`    ${printable(problem)}`])]),
  ]
    .map((line) => `${line}\n`)
    .join('')
}
