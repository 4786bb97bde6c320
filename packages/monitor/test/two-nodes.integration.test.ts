import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createEngine, type Engine } from '@holdfast/core'
import { statusHandler, toNodeListener } from '@holdfast/monitor'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { nodeOptions } from './node-options.ts'

interface Told {
  readonly id: string
  readonly type: string
  readonly severity: string
  readonly text: string
}

const script = fileURLToPath(new URL('./node-child.ts', import.meta.url))
const children: ChildProcess[] = []
const servers: Server[] = []
let folder = ''
let webhook = ''
let told: Told[] = []
let engine: Engine | undefined

async function listen(server: Server): Promise<string> {
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-two-nodes-'))
  told = []
  webhook = await listen(
    createServer(async (request, response) => {
      told.push(JSON.parse(await text(request)))
      response.end()
    }),
  )
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await engine?.stop({ graceMs: 1_000 })
  engine = undefined
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
  await rm(folder, { recursive: true, force: true })
})

async function startChild(name: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--conditions=@holdfast/source', script, name, folder, webhook], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => Promise.reject(new Error('the child ended')))])
  return child
}

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await holds()) return
    await setTimeout(100)
  }
  throw new Error(`${what}: not within a minute; told: ${JSON.stringify(told)}`)
}

it('a node that is killed becomes Stale, its status 503, and people are told once; and once more when it is back', async () => {
  engine = await createEngine(nodeOptions('a', folder, webhook))
  await engine.start()
  const url = await listen(createServer(toNodeListener(statusHandler({ engine, cacheMs: 0 }))))
  const ask = async (path: string) => {
    const answer = await fetch(`${url}${path}`)
    return [answer.status, ((await answer.json()) as { readonly state: string }).state]
  }
  const child = await startChild('b')
  await until('both are OK', async () => (await ask('/api/status/b'))[0] === 200)
  expect(await ask('/api/status')).toEqual([200, 'OK'])

  child.kill('SIGKILL')
  await until('b is Stale', async () => (await ask('/api/status/b'))[1] === 'Stale')
  expect(await ask('/api/status/b')).toEqual([503, 'Stale'])
  expect(await ask('/api/status')).toEqual([503, 'Degraded'])
  expect(await ask('/api/status/a')).toEqual([200, 'OK'])
  await until('people are told', () => told.length > 0)
  // Long enough for eight more reports and two more deliveries.
  await setTimeout(2_000)
  expect(told.map(({ type, severity }) => [type, severity])).toEqual([['node-stale', 'error']])
  expect(told[0]?.text).toContain('Node "b" has been silent since')

  await startChild('b')
  await until('b is OK again', async () => (await ask('/api/status'))[0] === 200)
  await until('people are told', () => told.length > 1)
  await setTimeout(2_000)
  expect(told.map(({ type }) => type)).toEqual(['node-stale', 'node-back'])
  expect(told[1]?.text).toMatch(/^Node "b" is back\. It was silent from /)
  const history = await engine.nodeHistory('b', '2000-01-01T00:00:00Z')
  expect(history.filter(({ state }) => state === 'Stale').length).toBe(1)
})

it('a node that was alone tells itself that it was silent, when it is back', async () => {
  const child = await startChild('b')
  await setTimeout(500)
  child.kill('SIGKILL')
  await setTimeout(4_000)
  expect(told).toEqual([])
  await startChild('b')
  await until('people are told', () => told.length > 0)
  expect(told.map(({ type, severity }) => [type, severity])).toEqual([['node-back', 'info']])
  expect(told[0]?.text).toMatch(/It was silent from \d{4}-\S+Z to \d{4}-\S+Z \(\d/)
})
