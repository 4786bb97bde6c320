import { HoldfastError } from '@holdfast/core/spec'
import { fakeClock } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { statusHandler } from './status-handler.ts'
import type { ClusterView, NodeView } from './status-source.ts'

const secretNode = (node: string, state: string): NodeView =>
  ({
    node,
    state,
    lastReport: '2026-11-20T00:00:00.000Z',
    ageMs: 3_000,
    version: '1.2.3',
    hostName: 'backup1.internal',
    checks: [{ name: 'repository main', state: 'Error', message: 'nfs.internal:/backup is gone', durationMs: 5 }],
  }) as NodeView

function served({ state = 'OK', nodes = [secretNode('a', 'OK'), secretNode('b', 'OK')] }: Partial<ClusterView> = {}, more = {}) {
  const clock = fakeClock()
  let asked = 0
  const engine = {
    async status() {
      asked++
      return { state, nodes }
    },
  }
  const handler = statusHandler({ engine, clock, ...more })
  const get = (path: string, method = 'GET') => handler(new Request(`http://localhost${path}`, { method }))
  return { clock, handler, get, asked: () => asked }
}
const json = async (answer: Promise<Response>) => await (await answer).json()

describe('the status of all nodes', () => {
  it('is names, states and ages, and nothing else, without details', async () => {
    const answer = await served().get('/api/status')
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await answer.json()).toEqual({
      state: 'OK',
      nodes: ['a', 'b'].map((node) => ({ node, state: 'OK', lastReport: '2026-11-20T00:00:00.000Z', ageMs: 3_000 })),
    })
  })
  it('is everything with details', async () => {
    const { get } = served()
    expect(await json(get('/api/status?details=true'))).toEqual({ state: 'OK', nodes: [secretNode('a', 'OK'), secretNode('b', 'OK')] })
    for (const no of ['details=false', 'details=1', 'details', 'Details=true']) {
      const text = await (await get(`/api/status?${no}`)).text()
      expect(text, no).not.toContain('internal')
    }
  })
  for (const state of ['Warning', 'Degraded', 'Critical'])
    it(`is 503 when the cluster is ${state}`, async () => {
      const { get } = served({ state })
      expect((await get('/api/status')).status).toBe(503)
      expect(await json(get('/api/status'))).toMatchObject({ state })
    })
  it('is the same with a slash at its end', async () => {
    expect((await served().get('/api/status/')).status).toBe(200)
  })
})

describe('the status of one node', () => {
  it('is 200 when that node is OK, whatever the others are', async () => {
    const { get } = served({ state: 'Degraded', nodes: [secretNode('a', 'OK'), secretNode('b', 'Stale')] })
    const answer = await get('/api/status/a')
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ node: 'a', state: 'OK', lastReport: '2026-11-20T00:00:00.000Z', ageMs: 3_000 })
    expect(await json(get('/api/status/a?details=true'))).toEqual(secretNode('a', 'OK'))
  })
  for (const state of ['Warning', 'Error', 'Stale'])
    it(`is 503 when that node is ${state}`, async () => {
      expect((await served({ nodes: [secretNode('a', state)] }).get('/api/status/a')).status).toBe(503)
    })
  for (const path of ['/api/status/nobody', '/api/status/a/b', '/api/status/a%2Fb', '/api/status/%61', '/api/statusa', '/api', '/'])
    it(`is 404 for ${path}`, async () => {
      const answer = await served().get(path)
      expect(answer.status).toBe(404)
      expect(await answer.json()).toEqual({ error: 'NOT_FOUND' })
    })
})

describe('methods', () => {
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
    it(`${method} is 405 and says what is allowed`, async () => {
      const answer = await served().get('/api/status', method)
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    })
  it('HEAD is answered like GET, without a body', async () => {
    const { get } = served({ state: 'Degraded', nodes: [secretNode('a', 'OK')] })
    for (const path of ['/api/status', '/api/status/a', '/api/status/nobody']) {
      const [head, whole] = [await get(path, 'HEAD'), await get(path)]
      expect([head.status, ...head.headers]).toEqual([whole.status, ...whole.headers])
      expect(await head.text()).toBe('')
    }
  })
})

describe('authorize', () => {
  it('that says no is 403 and asks the engine nothing', async () => {
    const { get, asked } = served({}, { authorize: () => false })
    const answer = await get('/api/status')
    expect([answer.status, await answer.json(), asked()]).toEqual([403, { error: 'FORBIDDEN' }, 0])
  })
  it('sees the request, so details may be for some', async () => {
    const authorize = async (request: Request, { details }: { readonly details: boolean }) =>
      !details || request.headers.get('authorization') === 'Bearer of-the-test'
    const { get, handler } = served({}, { authorize })
    expect((await get('/api/status')).status).toBe(200)
    for (const query of ['details=true', 'det%61ils=tru%65', 'x=1&details=true', 'details=true&details=false'])
      expect((await get(`/api/status?${query}`)).status, query).toBe(403)
    for (const query of ['Details=true', 'details=false&details=true', 'details=true%20'])
      expect(await (await get(`/api/status?${query}`)).text(), query).not.toContain('internal')
    const headers = { authorization: 'Bearer of-the-test' }
    expect((await handler(new Request('http://localhost/api/status?details=true', { headers }))).status).toBe(200)
  })
  it('that throws is 500 and shows nothing', async () => {
    const authorize = () => {
      throw new Error('password of-the-directory')
    }
    const answer = await served({}, { authorize }).get('/api/status?details=true')
    expect([answer.status, await answer.text()]).toEqual([500, '{"error":"INTERNAL"}\n'])
  })
  it('that does not answer with true or false is no', async () => {
    expect((await served({}, { authorize: () => 'yes' }).get('/api/status')).status).toBe(403)
  })
})

describe('many polls', () => {
  it('at once cost the engine one question', async () => {
    const { get, asked } = served()
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => get(index % 2 ? '/api/status' : '/api/status/a?details=true')),
    )
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(asked()).toBe(1)
  })
  it('within cacheMs share an answer, later ones do not', async () => {
    const { clock, get, asked } = served({}, { cacheMs: 1_000 })
    await get('/api/status')
    await clock.advance(999)
    await get('/api/status')
    expect(asked()).toBe(1)
    await clock.advance(1)
    await get('/api/status')
    expect(asked()).toBe(2)
  })
})

describe('an engine that cannot tell', () => {
  const failing = (error: unknown) => {
    let asked = 0
    const engine = {
      async status(): Promise<ClusterView> {
        asked++
        throw error
      },
    }
    const handler = statusHandler({ engine, clock: fakeClock() })
    return { get: (path: string) => handler(new Request(`http://localhost${path}`)), asked: () => asked }
  }
  const busy = new HoldfastError('STORE_BUSY', 'catalog /srv/catalog.db: another program has held it')

  it('is 503 and Critical, with the code, and the message only with details', async () => {
    const { get, asked } = failing(busy)
    const answer = await get('/api/status')
    expect([answer.status, await answer.json()]).toEqual([503, { state: 'Critical', error: { code: 'STORE_BUSY' } }])
    expect(await json(get('/api/status/a?details=true'))).toEqual({
      state: 'Critical',
      error: { code: 'STORE_BUSY', message: busy.message },
    })
    expect(asked()).toBe(1)
  })
  it('shows nothing of an error that is not of ours', async () => {
    const { get } = failing(new Error('postgres://user:of-the-test@host'))
    expect(await json(get('/api/status?details=true'))).toEqual({ state: 'Critical', error: { code: 'INTERNAL' } })
  })
  it('in time is 503 after timeoutMs, and is not asked again meanwhile', async () => {
    const clock = fakeClock()
    let asked = 0
    const engine = {
      status() {
        asked++
        return new Promise<ClusterView>(() => {})
      },
    }
    const handler = statusHandler({ engine, clock, timeoutMs: 5_000 })
    const get = () => clock.runUntil(handler(new Request('http://localhost/api/status')))
    for (let round = 0; round < 3; round++) expect(await json(get())).toEqual({ state: 'Critical', error: { code: 'TIMED_OUT' } })
    expect([asked, clock.monotonic(), clock.sleepers]).toEqual([1, 15_000, 0])
  })
  it('is not waited for when the client has gone', async () => {
    const gone = new AbortController()
    const clock = fakeClock()
    const handler = statusHandler({ engine: { status: () => new Promise<ClusterView>(() => {}) }, clock })
    const answer = handler(new Request('http://localhost/api/status', { signal: gone.signal }))
    gone.abort()
    expect((await answer).status).toBe(503)
    expect(clock.sleepers).toBe(0)
  })
})

describe('options', () => {
  it('may name another path', async () => {
    const { get } = served({}, { basePath: '/internal/health' })
    expect([(await get('/internal/health')).status, (await get('/internal/health/a')).status, (await get('/api/status')).status]).toEqual([
      200, 200, 404,
    ])
  })
  for (const [what, wrong, message] of [
    ['no engine', { engine: undefined }, 'engine is undefined; expected an engine'],
    ['something that is no engine', { engine: {} }, 'engine is an object; expected an engine'],
    ['a path with a slash at its end', { basePath: '/status/' }, 'basePath is "/status/"'],
    ['a path without a slash', { basePath: 'status' }, 'basePath is "status"'],
    ['a misspelt key', { autorize: () => true }, 'autorize is not known here'],
    ['authorize that is no function', { authorize: 'all' }, 'authorize is'],
    ['a time below zero', { cacheMs: -1 }, 'cacheMs is -1'],
    ['no time to wait', { timeoutMs: 0 }, 'timeoutMs is 0'],
  ] as const)
    it(`with ${what} are refused with their path`, () => {
      const engine = { status: async () => ({ state: 'OK', nodes: [] }) }
      expect(() => statusHandler({ engine, ...wrong } as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(message) }),
      )
    })
})
