// npx node --conditions=@holdfast/source examples/esxi-backup-restore/main.ts
// Backs a machine up from one simulated host, restores it under another name on a second one, and lets other programs compare.
// With a host of your own, where the copy is made and stays:
// ESXI_PASSWORD=... npx node --conditions=@holdfast/source examples/esxi-backup-restore/main.ts --url https://HOST --user USER --thumbprint SHA256 --machine NAME
// and, if need be, --name NAME of the copy, --datastore NAME for it, --folder FOLDER with room for all that the machine holds, twice.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, type Engine, formatBytes, localRepository, type RunHandle } from '@holdfast/core'
import { HoldfastError, type Provider } from '@holdfast/core/spec'
import { esxi } from '@holdfast/provider-esxi'
import { sqlite } from '@holdfast/store-sqlite'
import { checkPackages, compareDisks, disksIn } from './compare.ts'
import { type Hosts, openHosts, UsageError } from './hosts.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)
const interrupted = new AbortController()
const signal = AbortSignal.any([interrupted.signal, AbortSignal.timeout(24 * 3_600_000)])

/** Waits for a run, and tells how far it is. When somebody has seen enough it is cancelled, and what it has made is undone. */
async function watched<Result>(run: RunHandle<Result>): Promise<Result> {
  const cancel = () => void run.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  if (signal.aborted) cancel()
  try {
    for await (const { text } of run.progress()) say(`  ${text}`)
    return await run
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

/** Answers with the id of the point. */
async function backUp(engine: Engine, provider: string, id: string): Promise<string> {
  await engine.putPlan(`once-${provider}`, { kind: 'backup', repository: 'main', workloads: [{ provider, id }] })
  const [made] = await watched(engine.runPlan(`once-${provider}`))
  if (made === undefined) throw new Error('the plan has made no backup')
  const { point, bytes, consistency, warnings } = made
  const sizes = `${formatBytes(bytes.used)} of ${formatBytes(bytes.provisioned)} hold data, stored as ${formatBytes(bytes.stored)}`
  for (const line of [`${sizes} (${consistency})`, ...warnings.map(({ message }) => message)]) say(`  ${line}`)
  return point
}

/** A name that does not fit is told before hours of reading. */
async function refuseDatastore(host: Provider, datastore: string | undefined): Promise<void> {
  const names = (await host.check({ signal })).flatMap(({ name }) =>
    name.startsWith('datastore ') ? [name.slice('datastore '.length)] : [],
  )
  // A host that does not tell them is asked by the restore.
  if (names.length === 0) return
  if (datastore === undefined ? names.length > 1 : !names.includes(datastore))
    throw new UsageError(
      `${datastore === undefined ? 'There are several datastores' : `There is no datastore ${datastore}`}. Give --datastore: one of ${names.join(', ')}`,
    )
}

async function main(
  { from, to, machine, name: copy = `${machine}-restored`, datastore, writeDisks }: Hosts,
  folder: string,
): Promise<boolean> {
  const backups = join(folder, 'backups')
  const [host, target] = [esxi(from), esxi(to)]
  const engine = await createEngine({
    name: 'esxi-example',
    store: sqlite({ file: join(folder, 'catalog.db') }),
    repositories: { main: localRepository({ folder: backups }) },
    providers: { from: host, to: target },
  })
  try {
    await engine.start()
    const ids = new Map<string, string>()
    for await (const { name, id, usedBytes = 0 } of host.workloads({ signal })) {
      say(`${name}: ${formatBytes(usedBytes)}, ${id}`)
      ids.set(name, id)
    }
    const id = ids.get(machine)
    if (id === undefined) throw new UsageError(`There is no machine ${machine}. There are: ${[...ids.keys()].join(', ')}`)
    if (from === to && ids.has(copy)) throw new UsageError(`There is a machine ${copy} already. Give the copy another name: --name NAME`)
    await refuseDatastore(target, datastore)
    say(`back up ${machine}`)
    const point = await backUp(engine, 'from', id)
    say(`restore it as ${copy}`)
    const { workload } = await watched(
      engine.restore({ provider: 'from', id }, { provider: 'to', name: copy, ...(datastore && { options: { datastore } }) }),
    )
    if (!writeDisks) say(`  ${copy} is on ${to.host} now, and stays there`)
    const [originals, copies] = writeDisks
      ? [await writeDisks(machine, folder), await writeDisks(copy, folder)]
      : // A real host shows its disks by an export alone.
        [await disksIn(backups, point), await disksIn(backups, await backUp(engine, 'to', workload))]
    const whole = await checkPackages(backups, say)
    return (await compareDisks(originals, copies, say)) && whole
  } finally {
    await engine.stop()
  }
}

/** Answers with the exit code. */
async function tried(): Promise<number> {
  await using hosts = await openHosts({ signal })
  const parent = hosts.folder ?? tmpdir()
  const folder = await mkdtemp(join(parent, 'holdfast-esxi-')).catch((cause: Error) => {
    throw new UsageError(`No folder can be made in ${parent}: ${cause.message}`, { cause })
  })
  try {
    const same = await main(hosts, folder)
    say(`${hosts.machine}: ${same ? 'identical' : 'different'}`)
    return same ? 0 : 1
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Answers with the exit code. */
function failed(error: unknown): number {
  if (interrupted.signal.aborted)
    say(`${(interrupted.signal.reason as Error).message}; what was under way is undone, and the backups are removed.`)
  else if (HoldfastError.isInstance(error)) say(`${error.message}\n${error.remedy} (${error.code})`)
  else if (error instanceof UsageError) say(error.message)
  else throw error
  return interrupted.signal.aborted ? 130 : error instanceof UsageError ? error.exitCode : 1
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interrupted.abort(new Error(`Stopped by ${name}`)))
process.exitCode = await tried().catch(failed)
