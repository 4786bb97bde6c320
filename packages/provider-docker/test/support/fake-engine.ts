import { mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Handler = (request: http.IncomingMessage, response: http.ServerResponse, body: Buffer) => unknown

export const json = (response: http.ServerResponse, status: number, value: unknown): void => {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value))
}

export interface FakeEngineOptions {
  /** Answers `METHOD /path-without-version`, first match by prefix; what is not here is answered as a sound engine with one volume would. */
  readonly routes?: Readonly<Record<string, Handler>>
  readonly version?: { readonly ApiVersion: string; readonly MinAPIVersion?: string }
  readonly volumes?: readonly { readonly Name: string; readonly Driver: string; readonly Labels?: object; readonly Options?: object }[]
  readonly containers?: readonly object[]
}

/** Docker's API as far as the provider uses it, on a socket of its own; it keeps no state, so that a test says what each request meets. */
export async function fakeEngine({
  routes = {},
  version,
  volumes = [{ Name: 'shop-db', Driver: 'local' }],
  containers = [],
}: FakeEngineOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'fake-engine-'))
  const socketPath = join(folder, 'docker.sock')
  const requests: string[] = []
  const standard: Record<string, Handler> = {
    'GET /version': (_, response) =>
      json(response, 200, { Version: '20.10.24', ...(version ?? { ApiVersion: '1.41', MinAPIVersion: '1.12' }) }),
    'GET /volumes/': (request, response) => {
      const name = decodeURIComponent((request.url ?? '').split('/').pop() ?? '')
      const volume = volumes.find((one) => one.Name === name)
      json(response, volume ? 200 : 404, volume ?? { message: `get ${name}: no such volume` })
    },
    'GET /volumes': (_, response) => json(response, 200, { Volumes: volumes }),
    'GET /containers/json': (_, response) => json(response, 200, containers),
    'GET /images/json': (_, response) => json(response, 200, []),
    'POST /images/create': (_, response) => json(response, 200, { status: 'sha256:1' }),
    'POST /containers/create': (_, response) => json(response, 201, { Id: 'c1' }),
    'DELETE /': (_, response) => response.writeHead(204).end(),
  }
  const server = http.createServer((request, response) => {
    const path = (request.url ?? '').replace(/^\/v[\d.]+(?=\/)/, '')
    const line = `${request.method} ${path}`
    requests.push(`${request.method} ${request.url}`)
    const table = { ...standard, ...routes }
    const key = [...Object.keys(routes), ...Object.keys(standard)].find((prefix) => line.startsWith(prefix))
    const handler = key === undefined ? undefined : table[key]
    if (!handler) return json(response, 404, { message: 'page not found' })
    const needsBody = request.method === 'POST'
    const chunks: Buffer[] = []
    if (!needsBody) return void handler(request, response, Buffer.alloc(0))
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => void handler(request, response, Buffer.concat(chunks)))
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  return {
    socketPath,
    requests,
    async close(): Promise<void> {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true, force: true })
    },
  }
}
