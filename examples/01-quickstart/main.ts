// npm run quickstart [-- --prove] [-- --disk] [-- --help]
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { formatDuration } from '@holdfast/core'
import { showChain } from './disk-chain.ts'
import { findEngine } from './docker-engine.ts'
import { counted, createReport, named } from './report.ts'
import { type QuickstartSetup, subjectOf } from './setup.ts'
import * as steps from './steps.ts'
import type { Listed } from './subject.ts'

const usage = `npm run quickstart -- [--prove] [--disk]
  --prove  flips one bit of the restored copy: the comparison must find it, and this ends with 1
  --disk   protects a disk image, also where there is a Docker engine
  --help   prints this`

const { prove, disk } = wordsOfUser()
const interrupted = new AbortController()
let readerGone = false
const report = createReport((line) => {
  if (!readerGone) process.stdout.write(`${line}\n`)
}, interrupted.signal)

/** Ends the process with 2 at a word that is not known. */
function wordsOfUser(): { readonly prove: boolean; readonly disk: boolean } {
  try {
    const { values } = parseArgs({
      options: { prove: { type: 'boolean' }, disk: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    })
    if (values.help) {
      process.stdout.write(`${usage}\n`)
      process.exit(0)
    }
    return { prove: values.prove === true, disk: values.disk === true }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`)
    process.exit(2)
  }
}

async function run(world: steps.World): Promise<string> {
  const { subject } = world
  await report.step(`Make ${subject.title}`, () => subject.create())
  await report.step('Protect it', async () => {
    await steps.startEngine(world)
    return steps.protect(world)
  })
  await report.step('Change it', () => subject.change(1))
  await report.step('Protect it again', () => steps.protect(world))
  await report.step('Change it, and kill the process in the middle of the next backup', async () => {
    await subject.change(2)
    return steps.killInTheMiddle(world)
  })
  await report.step('Recover', () => steps.recover(world))
  await report.step('Lose it, and the catalog of the backups too', () => steps.loseEverything(world))
  await report.step('Find the backups again, with an empty catalog', () => steps.rescan(world))
  await report.step('Read every stored byte again', () => steps.verify(world))
  await report.step('Restore it', () => steps.restore(world))
  const chainIsGood = await showChain(world.setup, report)
  if (prove) await report.step('Flip one bit of the restored copy', () => subject.damage())
  let verdict = ''
  await report.step('Let other programs compare', async () => {
    verdict = await steps.judge(world)
    return verdict
  })
  return `${subject.title}, ${world.size}: ${chainIsGood ? verdict : 'different'}`
}

async function main(): Promise<void> {
  const begin = performance.now()
  report.say('Protect something, die in the middle of a backup, lose everything but the backups, restore, compare.')
  const found = disk ? undefined : await findEngine()
  if (found === undefined) report.say('What is protected: a disk image, as --disk asks')
  else if ('missing' in found) report.say(`What is protected: a disk image (no Docker engine: ${found.missing})`)
  else report.say(`What is protected: a volume of the Docker engine ${found.version} at ${found.socketPath}`)
  const unique = randomBytes(4).toString('hex')
  const folder = join(tmpdir(), `holdfast-quickstart-${unique}`)
  const setup = { unique, folder, ...(found !== undefined && 'socketPath' in found && { socketPath: found.socketPath }) }
  const world: steps.World = { setup, subject: subjectOf(setup), report }
  report.say(`Of this run, before: ${counted(await everything(world))}`)
  report.say(`All is removed at the end. By hand, should this be killed: ${byHand(setup)}`)

  let last = ''
  const running = (async () => {
    await mkdir(folder, { mode: 0o700 })
    last = await run(world)
  })()
  const aborted = new Promise<never>((_, reject) => interrupted.signal.addEventListener('abort', () => reject(interrupted.signal.reason)))
  try {
    await Promise.race([running, aborted])
  } finally {
    await cleanUp(world, running)
    const left = await everything(world)
    report.say()
    report.say(`Of this run, after:  ${counted(left)}`)
    for (const thing of named(left)) report.detail(`left behind: ${thing}`)
    if (left.some(({ names }) => names.length > 0)) process.exitCode = 1
  }
  report.say(`All of it took ${formatDuration(performance.now() - begin)}.`)
  report.say(last)
  if (!last.endsWith(' identical')) process.exitCode = 1
}

/** How to find what only this run has made. */
function byHand({ unique, folder, socketPath }: QuickstartSetup): string {
  if (socketPath === undefined) return `rm -r ${folder}`
  const filters = [`label=holdfast-quickstart=${unique}`, `label=holdfast.system=quickstart-${unique}`]
  const client = `docker -H unix://${socketPath}`
  return `rm -r ${folder}; ${client} ps -a, volume ls, image ls, with --filter ${filters.join(' or ')}`
}

/** What this run has made, as the platform and the file system show it. */
async function everything({ setup, subject }: steps.World): Promise<readonly Listed[]> {
  return [...(await subject.listing()), { kind: 'temporary folder', names: existsSync(setup.folder) ? [setup.folder] : [] }]
}

/** On every way out, also Ctrl-C, a closed terminal and a closed pipe: ends what runs, then removes what this run has made, and nothing else. */
async function cleanUp(world: steps.World, running: Promise<void>): Promise<void> {
  world.child?.kill('SIGKILL')
  await steps.stopEngine(world)
  await Promise.race([running.catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 10_000).unref())])
  await world.subject.cleanUp()
  await rm(world.setup.folder, { recursive: true, force: true })
}

process.stdout.on('error', (error) => {
  readerGone = true
  interrupted.abort(error)
})
// Who closed standard output has often closed this as well; there is nobody left to tell.
process.stderr.on('error', () => undefined)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => interrupted.abort(new Error(`Stopped by ${signal}`)))
try {
  await main()
} catch (error) {
  if (interrupted.signal.aborted) report.say(`${interrupted.signal.reason.message}; all is removed.`)
  else report.say(error instanceof Error ? `Failed: ${error.stack}` : `Failed: ${String(error)}`)
  process.exit(readerGone ? 1 : interrupted.signal.aborted ? 130 : 2)
}
