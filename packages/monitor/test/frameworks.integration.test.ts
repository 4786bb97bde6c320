import { once } from 'node:events'
import { createServer, request as httpRequest, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createEngine, type Engine, formatDuration, randomIds, systemClock } from '@holdfast/core'
import { statusHandler, toNodeListener } from '@holdfast/monitor'
import { type MemoryStore, memoryRepository, memoryStore } from '@holdfast/testkit'
import { serve } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

type Handler = (request: Request) => Promise<Response>
interface Served {
  readonly url: string
  close(): Promise<void>
}

const urlOf = (server: { address(): AddressInfo | string | null }) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}
const listening = async (server: Server): Promise<Served> => {
  if (!server.listening) await once(server, 'listening')
  return { url: urlOf(server), close: () => closeServer(server) }
}

function nodeHttp(handler: Handler, port: number): Server {
  // #region node-http
  const server = createServer(toNodeListener(handler))
  server.listen(port, '127.0.0.1')
  // #endregion node-http
  return server
}

function expressApp(handler: Handler, port: number): Server {
  // #region express
  const app = express()
  app.use('/api/status', toNodeListener(handler))
  const server = app.listen(port, '127.0.0.1')
  // #endregion express
  return server
}

async function fastifyApp(handler: Handler, port: number): Promise<Served> {
  // #region fastify
  const app = fastify()
  const listener = toNodeListener(handler)
  for (const path of ['/api/status', '/api/status/*']) {
    app.all(path, (request, reply) => {
      reply.hijack()
      listener(request.raw, reply.raw)
    })
  }
  await app.listen({ port, host: '127.0.0.1' })
  // #endregion fastify
  return { url: urlOf(app.server), close: async () => await app.close() }
}

function honoApp(handler: Handler, port: number): Server {
  // #region hono
  const app = new Hono()
  app.all('/api/status/*', (context) => handler(context.req.raw))
  const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' })
  // #endregion hono
  return server as Server
}

const frameworks: { readonly [name: string]: (handler: Handler) => Promise<Served> } = {
  'Node http': (handler) => listening(nodeHttp(handler, 0)),
  Express: (handler) => listening(expressApp(handler, 0)),
  Fastify: (handler) => fastifyApp(handler, 0),
  Hono: (handler) => listening(honoApp(handler, 0)),
}

let store: MemoryStore
let engine: Engine
const options = { signal: new AbortController().signal }
const report = (state: 'OK' | 'Warning' | 'Error') => store.nodes.report({ node: 'b', state, version: '1.0.0', checks: [] }, options)

beforeAll(async () => {
  store = memoryStore({ clock: systemClock, ids: randomIds })
  const repositories = { main: memoryRepository({ clock: systemClock }) }
  engine = await createEngine({ name: 'a', store, repositories, providers: {}, hostName: 'backup1' })
  await engine.start()
})
afterAll(async () => await engine.stop())
beforeEach(async () => await report('OK'))

for (const [name, start] of Object.entries(frameworks))
  describe(`the status in ${name}`, () => {
    let served: Served
    beforeAll(async () => {
      served = await start(statusHandler({ engine, cacheMs: 0 }))
    })
    afterAll(async () => await served.close())
    const ask = async (path: string, method = 'GET') => {
      const answer = await fetch(`${served.url}${path}`, { method })
      return { status: answer.status, headers: answer.headers, text: await answer.text() }
    }

    it('is 200 with names and states', async () => {
      const { status, headers, text } = await ask('/api/status')
      expect(status).toBe(200)
      expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
      expect(headers.get('cache-control')).toBe('no-store')
      const { state, nodes } = JSON.parse(text)
      expect([state, nodes.map((node: object) => Object.keys(node).join())]).toEqual(['OK', Array(2).fill('node,state,lastReport,ageMs')])
    })
    it('has checks and host names with details', async () => {
      const { status, text } = await ask('/api/status?details=true')
      expect(status).toBe(200)
      const [a] = JSON.parse(text).nodes
      expect(a).toMatchObject({ node: 'a', hostName: 'backup1', version: '0.0.0' })
      expect(a.checks.map((check: { name: string }) => check.name)).toEqual(['store', 'repository main', 'undo', 'clock'])
    })
    it('of one node is 200, and 404 for a node that there is not', async () => {
      const { status, text } = await ask('/api/status/b?details=true')
      expect([status, JSON.parse(text)]).toMatchObject([200, { node: 'b', state: 'OK', version: '1.0.0' }])
      expect((await ask('/api/status/nobody')).status).toBe(404)
    })
    it('is 503 when it is not OK', async () => {
      await report('Error')
      const { status, text } = await ask('/api/status')
      expect([status, JSON.parse(text).state]).toEqual([503, 'Degraded'])
      expect((await ask('/api/status/b')).status).toBe(503)
      expect((await ask('/api/status/a')).status).toBe(200)
      await report('Warning')
      expect((await ask('/api/status')).status).toBe(503)
    })
    it('answers HEAD like GET, without a body', async () => {
      expect(await ask('/api/status', 'HEAD')).toMatchObject({ status: 200, text: '' })
      expect(await ask('/api/status/nobody', 'HEAD')).toMatchObject({ status: 404, text: '' })
    })
    for (const method of ['POST', 'DELETE', 'OPTIONS'])
      it(`is 405 for ${method}, and says what is allowed`, async () => {
        const { status, headers } = await ask('/api/status/a', method)
        expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD'])
      })
    it('answers many at once', async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, () => ask('/api/status')))
      expect(answers.map(({ status }) => status)).toEqual(Array(40).fill(200))
    })
  })

describe('details for some', () => {
  it('are shown to who has the token, the rest to all', async () => {
    const token = 'of-the-test'
    // #region authorize
    const handler = statusHandler({
      engine,
      authorize: (request, { details }) => !details || request.headers.get('authorization') === `Bearer ${token}`,
    })
    // #endregion authorize
    const served = await listening(nodeHttp(handler, 0))
    const ask = async (path: string, headers = {}) => (await fetch(`${served.url}${path}`, { headers })).status
    expect(await ask('/api/status')).toBe(200)
    expect(await ask('/api/status?details=true')).toBe(403)
    expect(await ask('/api/status?details=true', { authorization: 'Bearer of-the-test' })).toBe(200)
    await served.close()
  })
})

describe('without HTTP', () => {
  it('the engine itself tells the same, and how it was', async () => {
    const lines: string[] = []
    const print = (line: string) => lines.push(line)
    // #region status
    const { state, nodes } = await engine.status({ details: true })
    print(`the cluster is ${state}`)
    for (const node of nodes) {
      print(`${node.node} on ${node.hostName}: ${node.state}, ${formatDuration(node.ageMs)} ago`)
      for (const check of node.checks ?? []) if (check.state !== 'OK') print(`  ${check.name}: ${check.message}`)
    }
    const yesterday = new Date(Date.now() - 86_400_000).toISOString()
    for (const { at, state } of await engine.nodeHistory('a', yesterday)) print(`${at} ${state}`)
    // #endregion status
    expect(lines.slice(0, 2)).toEqual(['the cluster is OK', expect.stringMatching(/^a on backup1: OK, \d/)])
    expect(lines.at(-1)).toMatch(/Z OK$/)
  })
})

describe('toNodeListener', () => {
  const during = async (handler: Handler, body: (served: Served) => Promise<void>) => {
    const served = await listening(createServer(toNodeListener(handler)).listen(0, '127.0.0.1'))
    try {
      await body(served)
    } finally {
      await served.close()
    }
  }
  it('passes method, path, query and headers on, and status, headers and body back', async () => {
    const handler = async (request: Request) =>
      new Response(JSON.stringify([request.method, request.url, request.headers.get('x-asked')]), {
        status: 418,
        headers: { 'x-answered': 'yes', 'set-cookie': 'a=1' },
      })
    await during(handler, async ({ url }) => {
      const answer = await fetch(`${url}//there/%20?x=1&x=2`, { method: 'PUT', headers: { 'x-asked': 'this' }, body: 'not passed on' })
      expect([answer.status, answer.headers.get('x-answered'), answer.headers.get('set-cookie')]).toEqual([418, 'yes', 'a=1'])
      expect(await answer.json()).toEqual(['PUT', 'http://localhost//there/%20?x=1&x=2', 'this'])
    })
  })
  it('aborts the request when the client goes before it was answered', async () => {
    const begun = Promise.withResolvers<void>()
    const aborted = Promise.withResolvers<void>()
    const handler = async (request: Request) => {
      begun.resolve()
      request.signal.addEventListener('abort', () => aborted.resolve())
      await aborted.promise
      return new Response('nobody hears this')
    }
    await during(handler, async ({ url }) => {
      const request = httpRequest(url).on('error', () => undefined)
      request.end()
      await begun.promise
      request.destroy()
      await aborted.promise
      expect(request.destroyed).toBe(true)
    })
  })
  it('does not abort a request that was answered', async () => {
    const signals: AbortSignal[] = []
    const handler = async (request: Request) => {
      signals.push(request.signal)
      return new Response('done')
    }
    await during(handler, async ({ url }) => {
      expect(await (await fetch(url)).text()).toBe('done')
    })
    expect(signals.map(({ aborted }) => aborted)).toEqual([false])
  })
  it('answers 500 when the handler rejects, and 400 to what is no URL, and goes on', async () => {
    let fails = true
    const handler = async () => {
      if (fails) throw new Error('password of-the-test')
      return new Response('fine')
    }
    await during(handler, async ({ url }) => {
      const failed = await fetch(url)
      expect([failed.status, await failed.text()]).toEqual([500, ''])
      expect(await raw(url, 'GET http://[ HTTP/1.1')).toMatch(/^HTTP\/1\.1 400 /)
      expect(await raw(url, 'TRACE / HTTP/1.1')).toMatch(/^HTTP\/1\.1 400 /)
      fails = false
      expect(await raw(url, 'GET http://elsewhere/path HTTP/1.1')).toMatch(/^HTTP\/1\.1 200 /)
    })
  })
})

/** What the server says to a first line that no client library would send. */
async function raw(url: string, line: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(`${line}\r\nhost: x\r\nconnection: close\r\n\r\n`)
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}
