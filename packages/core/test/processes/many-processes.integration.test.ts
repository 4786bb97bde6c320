import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqlite } from '@holdfast/store-sqlite'
import { type Random, seededRandom } from '@holdfast/testkit'
import { afterEach, expect, it } from 'vitest'
import { scheduleId } from '../../src/engine/firing/plans.ts'
import { parsePlan } from '../../src/model/plan.ts'
import type { Json, Run, Store } from '../../src/spec/index.ts'
import { bundleChild } from '../crash/bundle.ts'
import { openShared } from './work-off-due.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 1)
const isLong = process.env.HOLDFAST_LONG === '1'
const planCount = isLong ? 50 : 10
const workloadCount = 10
const processCount = 4
const day = 86_400_000
const options = { signal: new AbortController().signal }
let folder = ''
const children = new Set<ChildProcess>()
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

/** Plans that have been due for an hour, in random order, each for all workloads. */
async function prepare(random: Random): Promise<void> {
  const workloads = Array.from({ length: workloadCount }, (_, index) => ({ provider: 'p', id: `volume-${index}` }))
  await mkdir(join(folder, 'repository'))
  const store = sqlite({ file: join(folder, 'catalog.db'), hostName: 'host' })
  const { now } = await store.open(options)
  // Far from a due time on any of the clocks.
  const anchor = new Date(now - day / 2).toISOString()
  const plans = Array.from({ length: planCount }, (_, index) => `plan-${index}`).sort(() => random.below(3) - 1)
  for (const id of plans) {
    const schedule = { type: 'every', interval: '1d', anchor }
    const plan = parsePlan(id, { kind: 'backup', repository: 'main', workloads, compression: 'none', schedule })
    if (!plan.schedule) throw new Error('a plan without a schedule')
    const cursor = { planId: id, schedule: scheduleId(plan.schedule), due: now - day / 2 }
    expect(await store.plans.put({ id, revision: 0, plan: plan as unknown as Json }, [cursor], options)).toBe(true)
  }
  await store[Symbol.asyncDispose]()
}

async function allRuns(store: Store): Promise<readonly Run[]> {
  const runs: Run[] = []
  for await (const run of store.runs.list({}, options)) runs.push(run)
  return runs
}

/** Kills, freezes and begins processes anew, until every run has ended. Gives how often it did what. */
async function harass(script: string, random: Random, store: Store) {
  const counts = { killed: 0, frozen: 0 }
  let output = ''
  const begin = (index: number) => {
    const skew = String([0, 20_000, -20_000, 45_000][index % 4])
    const argumentsOf = [script, folder, `node-${index}`, skew, join(folder, 'compiled')]
    const child = spawn(process.execPath, ['--conditions=@holdfast/source', ...argumentsOf], { stdio: ['pipe', 'ignore', 'pipe'] })
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    children.add(child)
    child.once('close', () => children.delete(child))
    return child
  }
  const nodes = Array.from({ length: processCount }, (_, index) => begin(index))
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  const ended = async () => {
    const runs = await allRuns(store)
    return runs.length >= planCount * workloadCount && runs.every((run) => run.state !== 'queued' && run.state !== 'running')
  }
  while (!(await ended())) {
    await pause(200 + random.below(600))
    const index = random.below(processCount)
    const node = nodes[index]
    if (!node) continue
    if (random.below(2) === 0) {
      counts.killed++
      node.kill('SIGKILL')
      nodes[index] = begin(index)
    } else {
      counts.frozen++
      node.kill('SIGSTOP')
      setTimeout(() => node.kill('SIGCONT'), 500 + random.below(3000))
    }
  }
  await pause(3500)
  for (const node of nodes) node.stdin?.end()
  await Promise.all([...children].map((child) => new Promise((resolve) => child.once('close', resolve))))
  return { ...counts, output }
}

it(`${processCount} processes on one catalog with clocks that differ, killed and frozen at random: each due run commits once (seed ${seed})`, {
  timeout: 600_000,
}, async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-shared-'))
  const random = seededRandom(seed)
  await prepare(random)
  const script = await bundleChild(folder, 'due-child')
  const store = sqlite({ file: join(folder, 'catalog.db'), hostName: 'host', waitMs: 20_000 })
  await store.open(options)
  const { killed, frozen, output } = await harass(script, random, store)
  const runs = await allRuns(store)
  process.stdout.write(`seed ${seed}: ${runs.length} runs, ${killed} kills, ${frozen} freezes\n`)
  expect(output).toBe('')
  expect([...new Set(runs.map(({ state, error }) => (state === 'succeeded' ? state : JSON.stringify(error))))]).toEqual(['succeeded'])
  expect(new Set(runs.map(({ key }) => key)).size).toBe(planCount * workloadCount)
  expect(runs).toHaveLength(planCount * workloadCount)
  await store[Symbol.asyncDispose]()
  const engine = await openShared(folder, 'check', 0)
  try {
    await engine.start()
    await engine.idle()
    const points = await engine.points({ repository: 'main' })
    expect(points).toHaveLength(planCount * workloadCount)
    expect(new Set(points.map(({ id }) => id)).size).toBe(points.length)
    expect((await engine.verify({ repository: 'main', mode: 'quick' })).findings).toEqual([])
  } finally {
    await engine.stop()
  }
})
