// node --conditions=@holdfast/source examples/03-embed-in-a-service/service.ts FOLDER [PORT]
// A service that protects the disk images of FOLDER/disks every night, and on demand. It listens on 127.0.0.1 alone and asks nobody who he is: whoever
// can reach it can back up, restore and cancel, so put it behind whatever guards the rest of your service.
//   POST   /backups?workload=web              begins a backup; with a header `idempotency-key` the same request twice is one run, and
//                                             another request with this key is answered with 409
//   POST   /restores?workload=web&name=copy   begins a restore of the newest good point under another name
//   GET    /runs/KEY                          how far it is, or how it ended
//   DELETE /runs/KEY                          asks it to stop
//   GET    /api/status                        how the nodes are; 200 if all is well
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { consoleLogger, createEngine, localRepository, maintenancePlans, type RunHandle, systemClock } from '@holdfast/core'
import { HoldfastError } from '@holdfast/core/spec'
import { statusHandler, toNodeListener } from '@holdfast/monitor'
import { sqlite } from '@holdfast/store-sqlite'
import { diskFiles } from '../02-disk-files/disk-files-provider.ts'

const folder = resolve(process.argv[2] ?? '/srv/shop')
const port = Number(process.argv[3] ?? 8080)
const repository = 'main'
const provider = 'disks'
const logger = consoleLogger({ write: (line) => process.stderr.write(line), clock: systemClock, format: 'json' })

const engine = await createEngine({
  name: 'shop-service',
  store: sqlite({ file: join(folder, 'catalog.db') }),
  repositories: { main: localRepository({ folder: join(folder, 'backups') }) },
  providers: { disks: diskFiles({ folder: join(folder, 'disks') }) },
  plans: {
    ...maintenancePlans({ cleanUpAt: '04:30', zone: 'Europe/Berlin' }),
    nightly: {
      kind: 'backup',
      repository,
      workloads: [{ provider, glob: '*' }],
      schedule: { type: 'simple', every: 'day', at: '02:30', zone: 'Europe/Berlin' },
      retention: { last: 3, daily: 7, weekly: 4, zone: 'Europe/Berlin' },
    },
  },
  // Leaves the disk to the shop.
  bytesPerSecond: 16 << 20,
  // Renewed at a third of it, and that is when a run learns that it was cancelled.
  leaseMs: 3000,
  logger,
})

engine.on('plan-fired', ({ plan, due, runs }) => logger.info('plan fired', { plan, due, runs }))
engine.on('run-started', ({ key, attempt }) => logger.info('run started', { key, attempt }))
engine.on('run-finished', ({ key, state }) => logger.info('run finished', { key, state }))
engine.on('point-committed', ({ key, point }) => logger.info('point committed', { key, point }))
engine.on('point-deleted', ({ point }) => logger.info('point deleted', { point }))
engine.on('warning', ({ code, message }) => logger.warn(message, { code }))

/** With the plan's name the points follow its retention, and the prune after its backups follows this one too. */
const backupOf = (id: string) => ({ operation: 'backup', plan: 'nightly', repository, workload: { provider, id } }) as const

/** Answers when the run is written down: from then on it needs neither this request nor this process. Rejects for a mistake in what was asked. */
async function accepted(run: RunHandle<unknown>): Promise<Response> {
  await run.accepted()
  const path = `/runs/${encodeURIComponent(run.key)}`
  return Response.json({ key: run.key, path }, { status: 202, headers: { location: path } })
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new HoldfastError('INVALID_OPTIONS', `"${text}" is no part of an address.`)
  }
}

/** The run with this key, whoever has begun it: a request, the schedule, an earlier process. */
async function aboutRun(method: string, key: string): Promise<Response> {
  const run = await engine.getRun(key)
  if (!run) throw new HoldfastError('NOT_FOUND', `There is no run "${key}".`)
  if (method === 'GET') return Response.json(run)
  await engine.cancel(key, 'asked over HTTP')
  return new Response(null, { status: 202 })
}

async function answer(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url)
  const id = searchParams.get('workload') ?? ''
  const name = searchParams.get('name') ?? ''
  const key = `http-${request.headers.get('idempotency-key') ?? randomUUID()}`
  if (request.method === 'POST' && pathname === '/backups') return await accepted(engine.run({ ...backupOf(id), key }))
  if (request.method === 'POST' && pathname === '/restores') return await accepted(engine.restore({ provider, id }, { name, key }))
  const [, runKey] = /^\/runs\/([^/]+)$/.exec(pathname) ?? []
  const known = request.method === 'GET' || request.method === 'DELETE'
  if (runKey !== undefined && known) return await aboutRun(request.method, decoded(runKey))
  throw new HoldfastError('NOT_FOUND', `There is no ${request.method} ${pathname}.`)
}

const statusOf = statusHandler({ engine })
/** A key that stands for other work is a conflict; every other mistake is in the request itself. */
function statusOfError({ code, details }: HoldfastError): number {
  if (typeof details === 'object' && details !== null && 'differs' in details) return 409
  return codes[code] ?? 500
}
const codes: { readonly [code: string]: number } = { NOT_FOUND: 404, INVALID_OPTIONS: 400, ENGINE_STOPPED: 503 }
const server = createServer(
  toNodeListener(async (request) => {
    if (new URL(request.url).pathname.startsWith('/api/status')) return await statusOf(request)
    return await answer(request).catch((error: unknown) => {
      const told = HoldfastError.isInstance(error) ? error : new HoldfastError('INTERNAL', String(error))
      const { code, message, remedy } = told
      return Response.json({ code, message, remedy }, { status: statusOfError(told) })
    })
  }),
)

// What runs is asked to stop, which costs it no failure; the next start goes on with it. Then nothing keeps this process alive.
async function stop(): Promise<void> {
  server.close()
  await engine.stop({ graceMs: 20_000 })
  logger.info('stopped')
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop())

await engine.start()
server.listen(port, '127.0.0.1')
await once(server, 'listening')
process.stdout.write(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`)
