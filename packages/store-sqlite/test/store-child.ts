// A process of its own on one catalog file, to be killed, raced or stopped. Usage: store-child.ts MODE FILE [NUMBER]
// Each line on standard output acknowledges what is durable; lines are written at once, so that a kill loses none.
import { writeSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { RunRequest, Store } from '@holdfast/core/spec'
import { nodeSqlite, type OpenSqlite, sqlite } from '../src/index.ts'

const [mode = '', file = '', number = '0'] = process.argv.slice(2)
const options = { signal: new AbortController().signal }
const say = (line: string): void => void writeSync(1, `${line}\n`)
const request = (key: string): RunRequest => ({
  key,
  operation: 'backup',
  delay: 0,
  priority: 0,
  maxFailures: 3,
  needs: [],
  resources: [],
  input: null,
})

/** Kills this process instead of the `count`th call of the database library. */
function killingDriver(count: number): OpenSqlite {
  return async (path) => {
    const driver = await nodeSqlite(path)
    let left = count
    const step = (): void => {
      left -= 1
      if (left === 0) process.kill(process.pid, 'SIGKILL')
    }
    return {
      ...driver,
      all(sql, parameters) {
        step()
        return driver.all(sql, parameters)
      },
      run(sql, parameters) {
        step()
        return driver.run(sql, parameters)
      },
    }
  }
}

/** The whole life of one run, each step acknowledged. */
async function live(store: Store, key: string): Promise<void> {
  await store.runs.create([request(key)], options)
  say(`created ${key}`)
  const [run] = await store.runs.take({ id: 'child', offers: [] }, 60_000, 1, options)
  if (run === undefined) throw new Error(`${key} cannot be taken`)
  const target = { repository: 'main', folder: run.key, number: 1 }
  await store.runs.save({ runId: run.id, attempt: run.attempt }, { target }, options)
  say(`saved ${run.key}`)
  const point = { ...target, pointId: run.key, workload: 'docker/a', parents: [], sequence: 1, createdAt: 0, summary: null }
  const outcome = { state: 'succeeded', result: null, points: [point], follow: [request(`after-${run.key}`)] } as const
  await store.runs.finish({ runId: run.id, attempt: run.attempt }, outcome, [], [{ id: run.key, event: null }], options)
  say(`finished ${run.key}`)
}

const modes: { readonly [name: string]: () => Promise<void> } = {
  /** Works until it is killed. */
  async work() {
    const store = sqlite({ file })
    const { epoch } = await store.open(options)
    say(`epoch ${epoch}`)
    for (let count = 0; ; count++) await live(store, `${number}-${count}`)
  },
  /** One run, killed at a call of the database library; says `whole` if it came through. */
  async 'die-at'() {
    const store = sqlite({ file, driver: killingDriver(Number(number)) })
    await store.open(options)
    say('opened')
    await live(store, 'one')
    say('whole')
    await store[Symbol.asyncDispose]()
  },
  /** Claims due times and runs against others; starts when its standard input ends. */
  async race() {
    const store = sqlite({ file, waitMs: 60_000 })
    await store.open(options)
    say('ready')
    for await (const _ of process.stdin);
    for (let due = 1; due <= 25; due++) {
      const won = await store.plans.advance({ planId: 'p', schedule: 's', due }, due + 1, [request(`due-${due}`)], options)
      if (won) say(`claimed ${due}`)
      for (const run of await store.runs.take({ id: number, offers: [] }, 600_000, 1, options)) say(`took ${run.key} ${run.attempt}`)
    }
    await store[Symbol.asyncDispose]()
    say('done')
  },
  /** Holds the file until it is killed. */
  async lock() {
    const database = new DatabaseSync(file)
    database.exec('begin exclusive')
    say('locked')
    await new Promise((resolve) => setTimeout(resolve, 600_000))
    // Named once more, or the garbage collector would close it, lock and all.
    database.close()
  },
}

await modes[mode]?.()
