// node --conditions=@holdfast/source examples/03-embed-in-a-service/check.ts
// Starts the service beside this file, talks to it as a client does, and lets `cmp` compare what it has restored. Ends with 1 if anything differs.
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { RunView } from '@holdfast/core'

const mebibyte = 1 << 20
const patienceMs = 60_000
const say = (text: string) => process.stdout.write(`${text}\n`)

/** The service as a process of its own. */
interface Service {
  readonly url: string
  readonly child: ChildProcess
}

async function startService(folder: string): Promise<Service> {
  const script = fileURLToPath(new URL('service.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@holdfast/source', script, folder, '0'], { stdio: ['ignore', 'pipe', 'pipe'] })
  // Its log: shown only when it dies, because this page of output is about the client.
  const log: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text))
  const died = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the service ended with ${code}:\n${log.join('')}`)))
  died.catch(() => undefined)
  const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), died])
  const [url] = /http:\S+/.exec(String(line)) ?? []
  assert.ok(url, `expected an address, not "${line}"`)
  say(`the service runs: ${url.replace(/\d+$/, 'PORT')}`)
  return { url, child }
}

async function stopService({ child }: Service): Promise<void> {
  child.kill('SIGTERM')
  const [code, signal] = await once(child, 'exit')
  assert.equal(code, 0, `the service ended with ${code ?? signal}`)
  say('SIGTERM: the service has ended with 0')
}

async function ask<Answer = unknown>({ url }: Service, method: string, path: string, key?: string) {
  const response = await fetch(`${url}${path}`, { method, ...(key !== undefined && { headers: { 'idempotency-key': key } }) })
  const text = await response.text()
  say(`${method} ${path}: ${response.status}`)
  return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as Answer }
}

async function begin(service: Service, path: string, key: string): Promise<string> {
  const { status, body } = await ask<{ readonly path: string }>(service, 'POST', path, key)
  assert.equal(status, 202, JSON.stringify(body))
  return body.path
}

/** Asks until the run is as wanted, and shows what it says meanwhile. */
async function watch(service: Service, path: string, done: (run: RunView) => boolean): Promise<RunView> {
  let last = ''
  for (const limit = performance.now() + patienceMs; performance.now() < limit; await sleep(200)) {
    const run = (await (await fetch(`${service.url}${path}`)).json()) as RunView
    const told = `  ${run.state}${run.state === 'running' && run.progress ? `: ${run.progress.text}` : ''}`
    if (told !== last) say(told)
    last = told
    if (done(run)) return run
  }
  throw new Error(`${path} is still not as expected after ${patienceMs} ms`)
}

const hasEnded = ({ state }: RunView) => state !== 'queued' && state !== 'running'
const isInTheMiddle = (run: RunView) => hasEnded(run) || (run.state === 'running' && (run.progress?.bytes ?? 0) > 2 * mebibyte)

async function finish(service: Service, path: string, state: RunView['state']): Promise<RunView> {
  const run = await watch(service, path, hasEnded)
  assert.equal(run.state, state, JSON.stringify(run.error))
  return run
}

async function main(folder: string, services: Service[]): Promise<boolean> {
  const disks = join(folder, 'disks')
  await mkdir(disks)
  await write(join(disks, 'web.img'), 0, 40 * mebibyte, 1)
  const service = await startService(folder)
  services.push(service)

  const first = await begin(service, '/backups?workload=web', 'first')
  assert.equal(await begin(service, '/backups?workload=web', 'first'), first, 'asked twice, it is one run')
  await finish(service, first, 'succeeded')

  await write(join(disks, 'web.img'), 20 * mebibyte, 3 * mebibyte, 2)
  const second = await begin(service, '/backups?workload=web', 'second')
  await watch(service, second, isInTheMiddle)
  assert.equal((await ask(service, 'DELETE', second)).status, 202)
  await finish(service, second, 'cancelled')

  const third = await begin(service, '/backups?workload=web', 'third')
  await watch(service, third, isInTheMiddle)
  await stopService(service)
  const again = await startService(folder)
  services.push(again)
  const { failures, attempt } = await finish(again, third, 'succeeded')
  assert.deepEqual([failures, attempt], [0, 2], 'the stop has cost the run no failure')
  const { status, body } = await ask<{ readonly state: string }>(again, 'GET', '/api/status')
  assert.deepEqual([status, body.state], [200, 'OK'])

  await finish(again, await begin(again, '/restores?workload=web&name=web-copy', 'restore'), 'succeeded')
  assert.equal((await ask(again, 'GET', '/runs/http-never')).status, 404)
  assert.equal((await ask(again, 'POST', '/backups?workload=')).status, 400)
  assert.equal((await ask(again, 'GET', '/runs/%ZZ')).status, 400)
  assert.equal((await ask(again, 'POST', '/restores?workload=web&name=other', 'first')).status, 409, 'the key stands for a backup')
  await stopService(again)
  const stored = await readdir(join(folder, 'backups'), { recursive: true })
  assert.equal(stored.filter((file) => file.endsWith('.qcow2')).length, 2, 'two points, and nothing of the one that was cancelled')
  return await compare(folder, 'disks/web.img', 'disks/web-copy.img')
}

/** A second program's opinion. */
function compare(folder: string, original: string, restored: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    execFile('cmp', [original, restored], { cwd: folder }, (error, stdout, stderr) => {
      if (error?.code === 'ENOENT') return reject(new Error('cmp is not installed'))
      say(`$ cmp ${original} ${restored}`)
      say(`  ${`${stdout}${stderr}`.trim() || 'no difference'}`)
      resolve(error === null)
    })
  })
}

async function write(path: string, offset: number, length: number, seed: number): Promise<void> {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at += 4) bytes.writeUInt32LE(Math.imul(at + seed, 2_654_435_761) >>> 0, at)
  const file = await open(path, offset === 0 ? 'w' : 'r+')
  await file.write(bytes, 0, length, offset)
  await file.close()
}

const folder = await mkdtemp(join(tmpdir(), 'holdfast-service-'))
const services: Service[] = []
try {
  const same = await main(folder, services)
  say(same ? 'web.img, 2 points: identical' : 'web.img: different')
  process.exitCode = same ? 0 : 1
} finally {
  for (const { child } of services) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
}
