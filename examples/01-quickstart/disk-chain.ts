import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type BackupOutcome, type Engine, formatBytes } from '@holdfast/core'
import { compare } from './compare.ts'
import { diskFile } from './disk-file.ts'
import type { Report } from './report.ts'
import { openEngine, type QuickstartSetup } from './setup.ts'
import type { Subject } from './subject.ts'

/** A disk that is protected three times, in a folder of its own. */
interface Chain {
  readonly folder: string
  readonly disk: Subject
  readonly engine: Engine
  /** Oldest first, each with a copy of the disk as it was then. */
  readonly points: { readonly backup: BackupOutcome; readonly copy: string }[]
}

/** A full and two increments of a disk, a merge, and every point restored: true if other programs find each of them identical. */
export async function showChain(setup: QuickstartSetup, report: Report): Promise<boolean> {
  const folder = join(setup.folder, 'chain')
  await mkdir(folder)
  const disk = diskFile({ folder })
  const engine = await openEngine({ unique: setup.unique, folder }, disk)
  const chain: Chain = { folder, disk, engine, points: [] }
  try {
    await engine.start()
    await report.step('A disk: protect it three times', () => protectThrice(chain, report))
    await report.step('Merge its newest point with the older two', () => merge(chain, report))
    let identical = false
    await report.step('Restore all three points of the disk', async () => {
      identical = await restoreAll(chain, report)
      return identical ? 'identical, each of them' : 'different'
    })
    await report.step('Delete the older two, which nothing needs any more', () => pruneOlder(chain))
    return identical
  } finally {
    await engine.stop({ graceMs: 2000 })
  }
}

async function protectThrice(chain: Chain, report: Report): Promise<string> {
  const { disk, engine, folder, points } = chain
  await disk.create()
  for (let day = 0; day < 3; day++) {
    if (day > 0) await disk.change(day)
    const copy = `original-${day}.img`
    await disk.saveTo(join(folder, copy))
    const [backup] = await engine.runPlan('nightly')
    if (!backup) throw new Error('there is no backup of the disk')
    points.push({ backup, copy })
    const { bytes, items } = backup
    report.detail(`${items[0]?.form}: ${formatBytes(bytes.stored)} stored, of ${formatBytes(bytes.used)} that the disk holds`)
  }
  const stored = sum(points.map(({ backup }) => backup.bytes.stored))
  const fulls = sum(points.map(({ backup }) => backup.bytes.used))
  return `three points in ${formatBytes(stored)}; as three fulls: ${formatBytes(fulls)}`
}

async function merge({ engine, points }: Chain, report: Report): Promise<string> {
  const newest = points.at(-1)?.backup
  const run = engine.merge({ repository: 'main', point: newest?.point ?? '' })
  await report.progress(run.progress())
  const { disks } = await run
  return `it is a ${disks[0]?.form} now: ${formatBytes(disks[0]?.stored ?? 0)}, every cluster verified on the way`
}

async function restoreAll({ engine, disk, folder, points }: Chain, report: Report): Promise<boolean> {
  let identical = true
  for (const [index, { backup, copy }] of points.entries()) {
    const name = `restored-${index}`
    await engine.restore({ provider: disk.providerName, id: disk.id }, { point: backup.point, name })
    for (const { command, lines, identical: same } of await compare(folder, copy, join('disks', `${name}.img`))) {
      report.detail(`$ ${command}: ${lines[0]}`)
      identical &&= same !== false
    }
  }
  return identical
}

async function pruneOlder({ engine, points }: Chain): Promise<string> {
  const older = points.slice(0, -1).map(({ backup }) => backup.point)
  const { bytes } = await engine.prune({ repository: 'main', points: older })
  return `${formatBytes(bytes)} freed`
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)
