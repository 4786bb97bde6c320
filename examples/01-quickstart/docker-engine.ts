// The few requests to a Docker engine that the quickstart makes by itself, so that what it shows does not come from the code it shows.
import http from 'node:http'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { codeOf } from '@holdfast/core/spec'
import { docker } from '@holdfast/provider-docker'
import { findPeers } from '../../scripts/peers/find-peers.ts'

const unix = 'unix://'
const usualSockets = [
  '/var/run/docker.sock',
  ...(process.env.XDG_RUNTIME_DIR ? [join(process.env.XDG_RUNTIME_DIR, 'docker.sock')] : []),
  join(homedir(), '.docker/run/docker.sock'),
]

/** Asks the engine that `npm run peers` started, then those of the user. Answers the socket of the first that replies, or why none does. */
export async function findEngine(): Promise<{ readonly socketPath: string; readonly version: string } | { readonly missing: string }> {
  const { docker } = await findPeers()
  const fromEnvironment = process.env.DOCKER_HOST
  const users = fromEnvironment === undefined ? usualSockets : fromEnvironment.startsWith(unix) ? [fromEnvironment.slice(unix.length)] : []
  const candidates = [...('facts' in docker ? [docker.facts.socket] : []), ...users]
  let denied: string | undefined
  for (const socketPath of candidates) {
    try {
      const { Version: version } = await ask<{ Version: string }>(socketPath, 'GET', '/version')
      return { socketPath, version }
    } catch (error) {
      if (['EACCES', 'EPERM'].includes(codeOf(error) ?? '')) denied ??= socketPath
    }
  }
  if (denied !== undefined) return { missing: await inTheWordsOfTheLibrary(denied) }
  return {
    missing: users[0] === undefined ? 'DOCKER_HOST names no Unix socket, and nothing else is spoken yet' : `nothing answers at ${users[0]}`,
  }
}

async function inTheWordsOfTheLibrary(socketPath: string): Promise<string> {
  const [check] = await docker({ socketPath }).check({ signal: AbortSignal.timeout(10_000) })
  return check?.message ?? `${socketPath} may not be opened`
}

export interface Body {
  readonly type: 'application/json' | 'application/x-tar'
  readonly bytes: Readable | string | Uint8Array
}

/** One request; rejects unless the engine answers with success. The caller reads the body. */
export function call(socketPath: string, method: string, path: string, body?: Body): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = body ? { 'content-type': body.type } : {}
    const request = http.request({ socketPath, method, path, headers, agent: false, timeout: 60_000 }, (response) => {
      if ((response.statusCode ?? 500) < 300) return resolve(response)
      text(response).then((answer) => reject(new Error(`${method} ${path}: ${response.statusCode} ${answer.trim()}`)), reject)
    })
    request.on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer`)))
    request.on('error', reject)
    if (body === undefined) request.end()
    else if (typeof body.bytes === 'string' || body.bytes instanceof Uint8Array) request.end(body.bytes)
    else body.bytes.on('error', (error) => request.destroy(error)).pipe(request)
  })
}

/** One request whose answer is small: JSON, or nothing that matters. */
export async function ask<Answer = void>(socketPath: string, method: string, path: string, body?: Body | object): Promise<Answer> {
  const sent: Body | undefined = body === undefined || 'bytes' in body ? body : { type: 'application/json', bytes: JSON.stringify(body) }
  const answer = await text(await call(socketPath, method, path, sent))
  if (answer.includes('"errorDetail"')) throw new Error(`${method} ${path}: ${answer.trim()}`)
  return (method === 'GET' ? JSON.parse(answer) : undefined) as Answer
}
