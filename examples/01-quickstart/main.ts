// npm run quickstart [-- --prove] [-- --disk]
//   --prove  flips one bit of the restored copy: the comparison must find it
//   --disk   protects a disk image also where a Docker engine is
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BackupOutcome, type Engine, formatBytes } from '@holdfast/core'
import { compare } from './compare.ts'
import { findEngine } from './docker-engine.ts'
import { createReport, type Report, told } from './report.ts'
import { backupFolder, catalogFile, openEngine, type QuickstartSetup, subjectOf } from './setup.ts'
import type { Listed, Subject } from './subject.ts'

const prove = process.argv.includes('--prove')
const report: Report = createReport((line) => process.stdout.write(`${line}\n`))

/** Everything that must be ended or removed, whatever happens. */
interface World {
  readonly setup: QuickstartSetup
  readonly subject: Subject
  engine?: Engine
  child?: ReturnType<typeof spawn>
}

async function main(): Promise<void> {
  const begin = performance.now()
  report.say('Protects something, kills itself in the middle of a backup, loses all but the backups, restores, and lets other programs compare.')
  const found = process.argv.includes('--disk') ? { missing: 'a disk image was asked for' } : await findEngine()
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-quickstart-'))
  const unique = randomBytes(4).toString('hex')
  const setup = { unique, folder, ...('socketPath' in found && { socketPath: found.socketPath }) }
  const world: World = { setup, subject: subjectOf(setup) }
  report.say()
  if ('missing' in found) report.say(`No Docker volume (${found.missing}): a disk image is protected.`)
  else report.say(`Docker engine ${found.version} at ${found.socketPath}`)
  const before = await listing(world)
  report.say(`There before: ${told(before)}`)
  ...
}
