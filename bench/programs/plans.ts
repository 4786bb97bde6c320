// node plans.js ours|peer FOLDER PLANS WORKLOADS: makes every plan due, then turns all of them into runs. Tells wall and CPU seconds of the second part.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Cursor, RunRequest } from '@holdfast/core/spec'
import { sqlite } from '@holdfast/store-sqlite'

const [who = '', folder = '', plans = '', workloads = ''] = process.argv.slice(2)
const planCount = Number(plans)
const workloadCount = Number(workloads)
const dueAt = 1_700_000_000_000
const options = { signal: new AbortController().signal }
const planId = (index: number) => `plan-${String(index).padStart(5, '0')}`

function requestsOf(plan: string): readonly RunRequest[] {
  return Array.from({ length: workloadCount }, (_, index) => {
    const workload = `docker/volume-${index}`
    const key = `${plan}/${workload}/2026-11-20T02:30:00.000Z`
    return {
      key,
      operation: 'backup',
      planId: plan,
      workload,
      dueAt,
      delay: 0,
      priority: 0,
      maxFailures: 3,
      needs: ['provider:docker', 'repository:main'],
      resources: [{ name: `workload:${workload}`, units: 1, capacity: 1 }],
      overlap: { key: `${plan}/${workload}`, policy: 'skip' },
      input: {
        operation: 'backup',
        plan,
        repository: 'main',
        workload: { provider: 'docker', id: `volume-${index}` },
        options: {},
        compression: 'zstd',
      },
    }
  })
}

async function ours(): Promise<() => Promise<void>> {
  const store = sqlite({ file: join(folder, 'ours.db') })
  await store.open(options)
  for (let index = 0; index < planCount; index++) {
    const cursor: Cursor = { planId: planId(index), schedule: 'nightly', due: dueAt }
    await store.plans.put({ id: planId(index), revision: 0, plan: {} }, [cursor], options)
  }
  return async () => {
    const { cursors } = await store.plans.due(planCount, options)
    let moved = 0
    for (const cursor of cursors) if (await store.plans.advance(cursor, dueAt + 86_400_000, requestsOf(cursor.planId), options)) moved++
    if (moved !== planCount) throw new Error(`${moved} of ${planCount} plans moved`)
    await store[Symbol.asyncDispose]()
  }
}

/** The same rows, by statements that are prepared once. */
function peer(): () => Promise<void> {
  const database = new DatabaseSync(join(folder, 'peer.db'))
  database.exec('pragma journal_mode = wal; pragma synchronous = full')
  database.exec('create table cursors (plan_id text, schedule text, due integer, primary key (plan_id, schedule)) without rowid')
  database.exec('create index cursors_due on cursors (due)')
  const columns = [
    'id',
    'key',
    'operation',
    'plan_id',
    'workload',
    'due_at',
    'delay',
    'not_before',
    'priority',
    'max_failures',
    'needs_json',
  ]
  columns.push(
    'resources_json',
    'overlap_key',
    'overlap_policy',
    'input_json',
    'state',
    'attempt',
    'failures',
    'reads_json',
    'intents_json',
  )
  database.exec(`create table runs (sequence integer primary key autoincrement, ${columns.join(', ')})`)
  database.exec('create unique index runs_id on runs (id); create unique index runs_key on runs (key)')
  database.exec('create index runs_state on runs (state, not_before); create index runs_overlap on runs (overlap_key, state)')
  const put = database.prepare('insert into cursors values (?, ?, ?)')
  for (let index = 0; index < planCount; index++) put.run(planId(index), 'nightly', dueAt)
  const due = database.prepare('select * from cursors where due <= ? order by due, plan_id, schedule limit ?')
  const move = database.prepare('update cursors set due = ? where plan_id = ? and schedule = ? and due = ?')
  const insert = database.prepare(`insert into runs (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`)
  return async () => {
    let count = 0
    for (const row of due.all(dueAt + 1, planCount)) {
      const plan = String(row.plan_id)
      database.exec('begin immediate')
      move.run(dueAt + 86_400_000, plan, 'nightly', dueAt)
      for (const request of requestsOf(plan)) insertRun(insert, request, count++)
      database.exec('commit')
    }
    if (count !== planCount * workloadCount) throw new Error(`${count} runs`)
    database.close()
  }
}

function insertRun(insert: ReturnType<DatabaseSync['prepare']>, request: RunRequest, count: number): void {
  const { key, operation, workload = '', delay, priority, maxFailures, needs, resources, overlap, input } = request
  const json = [JSON.stringify(needs), JSON.stringify(resources)]
  const rest = [JSON.stringify(input), 'queued', 0, 0, '[]', '[]']
  const first = [String(count), key, operation, request.planId ?? '', workload, dueAt, delay, dueAt, priority, maxFailures]
  insert.run(...first, ...json, overlap?.key ?? '', overlap?.policy ?? '', ...rest)
}

const work = who === 'ours' ? await ours() : peer()
const cpu = process.cpuUsage()
const begin = performance.now()
await work()
const { user, system } = process.cpuUsage(cpu)
process.stderr.write(`wall ${(performance.now() - begin) / 1000}\ncpu ${(user + system) / 1e6}\n`)
