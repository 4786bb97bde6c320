// node --conditions=@holdfast/source examples/02-disk-files/main.ts
// Protects a disk image with the provider beside this file: a full, an increment, both restored, and compared by other programs. Ends with 1 if anything differs.
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BackupOutcome, createEngine, type Engine, formatBytes, localRepository } from '@holdfast/core'
import { sqlite } from '@holdfast/store-sqlite'
import { diskFiles } from './disk-files-provider.ts'

const mebibyte = 1 << 20
const say = (text: string) => process.stdout.write(`${text}\n`)

async function main(folder: string): Promise<boolean> {
  const disks = join(folder, 'disks')
  await mkdir(disks)
  await makeDisk(join(disks, 'web.img'))
  const engine = await createEngine({
    name: 'disk-files',
    store: sqlite({ file: join(folder, 'catalog.db') }),
    repositories: { main: localRepository({ folder: join(folder, 'backups') }) },
    providers: { disks: diskFiles({ folder: disks }) },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [{ provider: 'disks', id: 'web' }] } },
  })
  try {
    await engine.start()
    const first = await protect(engine)
    await copyFile(join(disks, 'web.img'), join(folder, 'then.img'))
    await write(join(disks, 'web.img'), 20 * mebibyte + 12_345, 3 * mebibyte, 2)
    say('3 MiB of the disk were written')
    const second = await protect(engine)

    const { findings, points } = await engine.verify({ repository: 'main' })
    say(`verified ${points} points: ${findings.length === 0 ? 'all whole' : JSON.stringify(findings)}`)
    await engine.restore({ provider: 'disks', id: 'web' }, { point: first.point, name: 'web-then' })
    await engine.restore({ provider: 'disks', id: 'web' }, { point: second.point, name: 'web-now' })
    await engine.idle()
    const opinions = [
      await run(folder, 'cmp', ['then.img', 'disks/web-then.img']),
      await run(folder, 'cmp', ['disks/web.img', 'disks/web-now.img']),
      ...(await readStoredChain(folder, [first.point, second.point])),
    ]
    return findings.length === 0 && opinions.includes('same') && !opinions.includes('different')
  } finally {
    await engine.stop()
  }
}

async function protect(engine: Engine): Promise<BackupOutcome> {
  const [backup] = await engine.runPlan('nightly')
  if (!backup) throw new Error('no backup')
  const { point, items, bytes } = backup
  for (const { name, form, reason } of items)
    say(
      `${name}: ${form} (${reason}), ${formatBytes(bytes.provisioned)} of disk, ${formatBytes(bytes.stored)} stored, ${formatBytes(bytes.provisioned - bytes.stored)} saved; point ${point}`,
    )
  return backup
}

/** The stored files are qcow2 with true backing names: qemu-img reads a point without Holdfast. */
async function readStoredChain(folder: string, points: readonly [then: string, now: string]): Promise<readonly Opinion[]> {
  const files = await readdir(join(folder, 'backups'), { recursive: true })
  const opinions: Opinion[] = []
  for (const [index, original] of ['then.img', 'disks/web.img'].entries()) {
    const stored = files.find((file) => file.includes(`/${points[index]}/`) && file.endsWith('.qcow2'))
    if (stored === undefined) throw new Error(`point ${points[index]} has no qcow2`)
    opinions.push(await run(folder, 'qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', original, join('backups', stored)]))
  }
  return opinions
}

type Opinion = 'same' | 'different' | 'none'

/** A second program's opinion; none if it is not installed. */
function run(folder: string, program: string, words: readonly string[]): Promise<Opinion> {
  return new Promise((resolve) => {
    execFile(program, [...words], { cwd: folder }, (error, stdout, stderr) => {
      const missing = error?.code === 'ENOENT'
      say(`$ ${[program, ...words].join(' ')}`)
      say(`  ${missing ? `${program} is not installed: left out` : `${stdout}${stderr}`.trim() || 'no difference'}`)
      resolve(missing ? 'none' : error === null ? 'same' : 'different')
    })
  })
}

/** 64 MiB, of which 24 hold data. */
async function makeDisk(path: string): Promise<void> {
  const file = await open(path, 'wx')
  await file.truncate(64 * mebibyte)
  await file.close()
  await write(path, 0, 16 * mebibyte, 1)
  await write(path, 48 * mebibyte, 8 * mebibyte, 1)
}

async function write(path: string, offset: number, length: number, seed: number): Promise<void> {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at += 4) bytes.writeUInt32LE(Math.imul(at + seed, 2_654_435_761) >>> 0, at)
  const file = await open(path, 'r+')
  await file.write(bytes, 0, length, offset)
  await file.close()
}

const folder = await mkdtemp(join(tmpdir(), 'holdfast-disk-files-'))
try {
  const same = await main(folder)
  say(same ? 'web.img, 2 points: identical' : 'web.img: different')
  process.exitCode = same ? 0 : 1
} finally {
  await rm(folder, { recursive: true, force: true })
}
