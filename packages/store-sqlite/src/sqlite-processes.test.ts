import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Run, Store } from '@holdfast/core/spec'
import { seededRandom } from '@holdfast/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Child, runChild } from '../test/run-child.ts'
import { sqlite } from './sqlite.ts'

const options = { signal: new AbortController().signal }
let folder: string
let file: string
let children: Child[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-processes-'))
  file = join(folder, 'catalog.db')
  children = []
})
afterEach(async () => {
  for (const child of children) child.process.kill('SIGKILL')
  await Promise.all(children.map((child) => child.ended))
  await rm(folder, { recursive: true })
})

function start(...parameters: readonly string[]): Child {
  const child = runChild(...parameters)
  children.push(child)
  return child
}

async function withStore<T>(body: (store: Store) => Promise<T>, path = file): Promise<T> {
  const store = sqlite({ file: path })
  try {
    await store.open(options)
    return await body(store)
  } finally {
    await store[Symbol.asyncDispose]()
  }
}

async function runsByKey(store: Store): Promise<ReadonlyMap<string, Run>> {
  const runs = new Map<string, Run>()
  for await (const run of store.runs.list({}, options)) runs.set(run.key, run)
  return runs
}

function expectSound(path = file): void {
  const database = new DatabaseSync(path)
  expect(Object.values(database.prepare('pragma integrity_check').get() ?? {})).toEqual(['ok'])
  database.close()
}

/** What `finish` writes is there together or not at all, and every acknowledged step is there. */
async function expectWhole(store: Store, acknowledged: readonly string[]): Promise<void> {
  const runs = await runsByKey(store)
  const { points } = await store.points.catalog('main', 'docker/a', options)
  const events = await store.outbox.take(0, 100_000, options)
  const finished = [...runs.values()].filter((run) => run.state === 'succeeded').map((run) => run.key)
  expect(points.map((point) => point.folder).sort()).toEqual(finished.toSorted())
  expect(events.map((event) => event.id).sort()).toEqual(finished.toSorted())
  expect([...runs.keys()].filter((key) => key.startsWith('after-') && !key.startsWith('after-after-')).length).toBeLessThanOrEqual(
    finished.length,
  )
  for (const key of finished) expect(runs.has(`after-${key}`)).toBe(true)
  for (const line of acknowledged) {
    const [step, key = ''] = line.split(' ')
    const run = runs.get(key)
    if (step === 'created') expect(run, line).toBeDefined()
    if (step === 'saved') expect(run?.state === 'succeeded' || run?.target?.folder === key, line).toBe(true)
    if (step === 'finished') expect(run?.state, line).toBe('succeeded')
  }
}

describe('a killed process', () => {
  it('leaves every acknowledged transaction, whenever it is killed', { timeout: 60_000 }, async () => {
    const seed = 20261121
    const random = seededRandom(seed)
    console.info(`seed ${seed}`)
    const acknowledged: string[] = []
    for (let round = 0; round < 5; round++) {
      const child = start('work', file, String(round))
      await child.said(2 + random.below(60))
      child.process.kill('SIGKILL')
      expect(await child.ended).toEqual({ code: null, signal: 'SIGKILL' })
      acknowledged.push(...child.lines)
      await withStore((store) => expectWhole(store, acknowledged))
    }
    const epochs = acknowledged.filter((line) => line.startsWith('epoch')).map((line) => Number(line.split(' ')[1]))
    expect(epochs).toEqual(epochs.toSorted((left, right) => left - right))
    expect(new Set(epochs).size).toBe(5)
    expectSound()
  })

  it('leaves a transaction whole or not at all, killed before every third statement of opening and of a run', {
    timeout: 120_000,
  }, async () => {
    let killed = 0
    const dieAt = async (count: number): Promise<boolean> => {
      const own = join(folder, `${count}.db`)
      const child = start('die-at', own, String(count))
      const { signal } = await child.ended
      await withStore((store) => expectWhole(store, child.lines), own)
      expectSound(own)
      if (signal === null) expect(child.lines.at(-1)).toBe('whole')
      else killed += 1
      return signal === null
    }
    for (let count = 1, through = false; !through; count += 6) {
      through = (await Promise.all([dieAt(count), dieAt(count + 3)])).every(Boolean)
    }
    console.info(`killed before ${killed} statements`)
    expect(killed).toBeGreaterThan(15)
  })
})

describe('four processes on one file', () => {
  it('claim each due time and take each run exactly once', { timeout: 120_000 }, async () => {
    // They also race to make the file.
    const racers = ['a', 'b', 'c', 'd'].map((name) => start('race', file, name))
    await Promise.all(racers.map((racer) => racer.said(1)))
    await withStore(async (store) => {
      await store.plans.put({ id: 'p', revision: 0, plan: null }, [{ planId: 'p', schedule: 's', due: 1 }], options)
    })
    for (const racer of racers) racer.process.stdin?.end()
    for (const racer of racers) expect(await racer.ended).toEqual({ code: 0, signal: null })
    const lines = racers.flatMap((racer) => racer.lines)
    const claimed = lines.filter((line) => line.startsWith('claimed'))
    expect(claimed.length).toBeGreaterThan(0)
    expect(new Set(claimed).size).toBe(claimed.length)
    const took = lines.filter((line) => line.startsWith('took'))
    expect(new Set(took).size).toBe(took.length)
    expect(took.every((line) => line.endsWith(' 1'))).toBe(true)
    await withStore(async (store) => {
      const runs = await runsByKey(store)
      expect([...runs.keys()].sort()).toEqual(claimed.map((line) => `due-${line.split(' ')[1]}`).sort())
      const { cursors } = await store.plans.due(5, options)
      expect(cursors[0]?.due).toBe(claimed.length + 1)
      expect(took.length).toBe([...runs.values()].filter((run) => run.state === 'running').length)
    })
  })
})

describe('a file that another process holds', () => {
  it('is waited for, and opened when it is free', { timeout: 30_000 }, async () => {
    await withStore(async () => {})
    const holder = start('lock', file)
    await holder.said(1)
    const store = sqlite({ file, waitMs: 20_000 })
    const opening = store.open(options)
    let opened = false
    opening.then(() => {
      opened = true
    })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(opened).toBe(false)
    holder.process.kill('SIGKILL')
    expect((await opening).epoch).toBe(2)
    await store[Symbol.asyncDispose]()
  })

  it('is given up after waitMs: DATABASE_LOCKED at open, STORE_BUSY later, both retryable and with the file', {
    timeout: 30_000,
  }, async () => {
    const early = sqlite({ file, waitMs: 200 })
    await early.open(options)
    const holder = start('lock', file)
    await holder.said(1)
    const late = sqlite({ file, waitMs: 200 })
    await expect(late.open(options)).rejects.toMatchObject({
      code: 'DATABASE_LOCKED',
      retryable: true,
      message: expect.stringContaining(file),
    })
    const busy = { code: 'STORE_BUSY', retryable: true, message: expect.stringContaining('200 ms') }
    await expect(early.outbox.add([{ id: 'a', event: 1 }], options)).rejects.toMatchObject(busy)
    // Readers are not held up by a writer.
    expect(await early.runs.get('nothing', options)).toBeUndefined()
    holder.process.kill('SIGKILL')
    await holder.ended
    await early.outbox.add([{ id: 'a', event: 1 }], options)
    expect(await early.outbox.take(1, 5, options)).toEqual([{ id: 'a', event: 1 }])
    await late.open(options)
    await early[Symbol.asyncDispose]()
    await late[Symbol.asyncDispose]()
  })

  it('is not waited for any longer once the caller aborts', { timeout: 30_000 }, async () => {
    await withStore(async () => {})
    const holder = start('lock', file)
    await holder.said(1)
    const controller = new AbortController()
    const store = sqlite({ file, waitMs: 600_000 })
    const opening = store.open(controller)
    setTimeout(() => controller.abort(), 100)
    await expect(opening).rejects.toMatchObject({ code: 'ABORTED' })
    await store[Symbol.asyncDispose]()
  })
})
