import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { type BackupOutcome, type Engine, formatBytes } from '@holdfast/core'
import { compare } from './compare.ts'
import { counted, named, type Report } from './report.ts'
import { backupFolder, catalogFile, openEngine, type QuickstartSetup } from './setup.ts'
import type { Listed, Subject } from './subject.ts'

/** What the steps share; main.ts ends and removes it, whatever happens. */
export interface World {
  readonly setup: QuickstartSetup
  readonly subject: Subject
  readonly report: Report
  engine?: Engine | undefined
  child?: ChildProcess | undefined
  /** Of what was protected last. */
  size?: string
}

export async function startEngine(world: World): Promise<Engine> {
  world.engine = await openEngine(world.setup, world.subject)
  await world.engine.start()
  return world.engine
}

export async function stopEngine(world: World): Promise<void> {
  await world.engine?.stop({ graceMs: 2000 })
  world.engine = undefined
}

export async function protect({ engine, report, subject }: World): Promise<string> {
  if (!engine) throw new Error('no engine')
  const run = engine.runPlan('nightly')
  await report.progress(run.progress(), ({ bytes, bytesPerSecond }) => `has ${subject.done(bytes)}, ${formatBytes(bytesPerSecond)}/s`)
  const [backup] = await run
  if (!backup) throw new Error('the plan names one workload, and there is no backup of it')
  return described(backup)
}

function described({ point, bytes, items }: BackupOutcome): string {
  const [item] = items
  return `point ${point}: ${formatBytes(bytes.used)} of data, ${formatBytes(bytes.stored)} stored (${item?.form})`
}

/** A second process begins a backup and kills itself with bytes on their way. */
export async function killInTheMiddle(world: World): Promise<string> {
  await stopEngine(world)
  const script = fileURLToPath(new URL('interrupted-backup.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@holdfast/source', script, JSON.stringify(world.setup)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  world.child = child
  const [bytes, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'close')])
  world.child = undefined
  if (signal !== 'SIGKILL') throw new Error(`the second process was to be killed, but ended with ${code ?? signal}`)
  world.report.detail(`process ${child.pid} had ${world.subject.done(Number(bytes))} when it was killed (SIGKILL)`)
  const left = await leftBehind(world)
  for (const thing of named(left)) world.report.detail(`it left ${thing}`)
  return `left behind: ${counted(left)}`
}

export async function recover(world: World): Promise<string> {
  const engine = await startEngine(world)
  world.report.detail('engine.start() settled the run of the dead process and undid what it had made;')
  world.report.detail(`left behind: ${counted(await leftBehind(world))}`)
  await engine.idle()
  const [newest] = await pointsOf(world, engine)
  return `then the run was done again: point ${newest?.id}`
}

/** On the platform and in the repository; the workload itself is not left behind but meant to be there. */
async function leftBehind({ setup, subject }: World): Promise<readonly Listed[]> {
  const files = await readdir(backupFolder(setup), { recursive: true })
  const unfinished = files.filter((file) => /(^|\/)\.[^/]*~[^/]*$/.test(file))
  const sized = unfinished.map(async (file) => `${file} (${formatBytes((await stat(join(backupFolder(setup), file))).size)})`)
  const platform = (await subject.listing()).map(({ kind, names }) => {
    const others = names.filter((name) => !name.startsWith(subject.id))
    return { kind: others.length < names.length ? `other ${kind}` : kind, names: others }
  })
  return [...platform, { kind: 'unfinished file', names: await Promise.all(sized) }]
}

function pointsOf({ subject }: World, engine: Engine) {
  return engine.points({ repository: 'main', workload: { provider: subject.providerName, id: subject.id } })
}

/** All that is left is the folder with the backups. */
export async function loseEverything(world: World): Promise<string> {
  const { setup, subject } = world
  await stopEngine(world)
  await subject.saveTo(join(await copies(setup), `original.${subject.copyName}`))
  await subject.lose()
  for (const ending of ['', '-wal', '-shm']) await rm(`${catalogFile(setup)}${ending}`, { force: true })
  return `gone: ${subject.title}, ${catalogFile(setup)}`
}

export async function rescan(world: World): Promise<string> {
  const engine = await startEngine(world)
  // The new catalog is a stranger to the repository until it is told to take it over.
  const { owner } = JSON.parse(await readFile(join(backupFolder(world.setup), 'repository.json'), 'utf8'))
  const { added } = await engine.rescan({ repository: 'main', takeOver: owner })
  for (const { id, createdAt, summary } of (await pointsOf(world, engine)).toReversed()) {
    world.report.detail(`point ${id} of ${createdAt}, ${formatBytes(summary.bytes.stored)}`)
    world.size = formatBytes(summary.bytes.provisioned)
  }
  return `${added} points found in the repository`
}

export async function verify({ engine }: World): Promise<string> {
  const seen = await engine?.verify({ repository: 'main' })
  if (!seen || seen.findings.length > 0) throw new Error(`damaged: ${JSON.stringify(seen?.findings)}`)
  return `${formatBytes(seen.bytes)} read again, ${seen.points} points are whole`
}

export async function restore(world: World): Promise<string> {
  const { engine, subject } = world
  const run = engine?.restore({ provider: subject.providerName, id: subject.id }, { point: 'latest' })
  if (!run) throw new Error('no engine')
  await world.report.progress(run.progress())
  const { point, workload } = await run
  if (workload !== subject.id) throw new Error(`restored as ${workload}`)
  await engine?.idle()
  await stopEngine(world)
  return `${subject.title} is there again, from point ${point}`
}

/** Other programs say whether both are the same. */
export async function judge({ setup, subject, report }: World): Promise<'identical' | 'different'> {
  const folder = await copies(setup)
  await subject.saveTo(join(folder, `restored.${subject.copyName}`))
  const opinions = await compare(folder, `original.${subject.copyName}`, `restored.${subject.copyName}`)
  for (const { command, lines } of opinions) {
    report.detail(`$ ${command}`)
    for (const line of lines) report.detail(`  ${line}`)
  }
  if (!opinions.some(({ identical }) => identical !== undefined)) throw new Error('none of cmp, sha256sum and tar is installed')
  return opinions.every(({ identical }) => identical !== false) ? 'identical' : 'different'
}

async function copies(setup: QuickstartSetup): Promise<string> {
  const folder = join(setup.folder, 'compare')
  await mkdir(folder, { recursive: true })
  return folder
}
