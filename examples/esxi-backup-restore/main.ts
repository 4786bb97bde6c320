// node --conditions=@holdfast/source examples/esxi-backup-restore/main.ts
// Backs a machine up from one simulated host, restores it under another name on a second one, and lets other programs compare.
// With a host of your own the copy is made there, and stays: ESXI_PASSWORD=... main.ts --url https://HOST --user USER --thumbprint SHA256 --machine NAME
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, type Engine, formatBytes, localRepository, type RunHandle } from '@holdfast/core'
import { esxi } from '@holdfast/provider-esxi'
import { sqlite } from '@holdfast/store-sqlite'
import { checkPackages, compareDisks } from './compare.ts'
import { type Hosts, openHosts } from './hosts.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)
const signal = AbortSignal.timeout(24 * 3_600_000)

/** Waits for a run, and says how far it is. */
async function watched<Result>(run: RunHandle<Result>): Promise<Result> {
  for await (const { text } of run.progress()) say(`  ${text}`)
  return run
}

async function main(hosts: Hosts, folder: string): Promise<boolean> {
  const from = esxi(hosts.from)
  const engine = await createEngine({
    name: 'esxi-example',
    store: sqlite({ file: join(folder, 'catalog.db') }),
    repositories: { main: localRepository({ folder: join(folder, 'backups') }) },
    providers: { from, to: esxi(hosts.to) },
  })
  try {
    await engine.start()
    let id = ''
    for await (const { name, id: uuid, usedBytes = 0 } of from.workloads({ signal })) {
      say(`${name}: ${formatBytes(usedBytes)} (${uuid})`)
      if (name === hosts.machine) id = uuid
    }
    await engine.putPlan('now', { kind: 'backup', repository: 'main', workloads: [{ provider: 'from', id }] })
    say(`back up ${hosts.machine}`)
    for (const { bytes, consistency, warnings } of await watched(engine.runPlan('now'))) {
      say(`  ${formatBytes(bytes.provisioned)}, of which ${formatBytes(bytes.used)} are used; stored as ${formatBytes(bytes.stored)} (${consistency})`)
      for (const { message } of warnings) say(`  ${message}`)
    }
    return await restoreAndCompare(engine, hosts, id, folder)
  } finally {
    await engine.stop()
  }
}

async function restoreAndCompare(engine: Engine, { machine, readDisk }: Hosts, id: string, folder: string): Promise<boolean> {
  const copy = `${machine}-restored`
  say(`restore it as ${copy}`)
  await watched(engine.restore({ provider: 'from', id }, { provider: 'to', name: copy }))
  let same = await checkPackages(join(folder, 'backups'), say)
  for (const index of [0, 1, 2]) {
    if (readDisk === undefined) continue
    const [original, restored] = [machine, copy].map((name) => join(folder, `${name}-${index}.raw`)) as [string, string]
    await Promise.all([readDisk(machine, index, original), readDisk(copy, index, restored)])
    same = (await compareDisks(original, restored, say)) && same
  }
  return same
}

const folder = await mkdtemp(join(tmpdir(), 'holdfast-esxi-'))
const hosts = await openHosts()
try {
  const same = await main(hosts, folder)
  say(`${hosts.machine}: ${same ? 'identical' : 'different'}`)
  process.exitCode = same ? 0 : 1
} finally {
  await hosts[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
}
