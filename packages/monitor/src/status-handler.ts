import {
  type Clock,
  codeOf,
  HoldfastError,
  invalidOptions,
  type OptionsMistake,
  showValue,
  systemClock,
  unknownKeys,
  withDeadline,
} from '@holdfast/core/spec'
import { type Found, sharedStatus } from './shared-status.ts'
import type { ClusterView, NodeView, StatusSource } from './status-source.ts'

/** What the handler answers from, and to whom. Durations are milliseconds. */
export interface StatusHandlerOptions {
  /** The engine. */
  readonly engine: StatusSource
  /** Where the status is: begins with a slash and does not end with one. Default `/api/status`. */
  readonly basePath?: string
  /**
   * Asked before anything else is answered: anything but `true` answers 403. `details` tells whether the request wants them, so that they can be for some and
   * the rest for all; do not look for it in the address yourself, which can be written in many ways. One that throws answers 500 and shows nothing.
   * Default: everybody may look.
   */
  readonly authorize?: (request: Request, wants: { readonly details: boolean }) => boolean | Promise<boolean>
  /** How long an answer serves all who ask. Default 1,000. */
  readonly cacheMs?: number
  /** How long a request waits for the engine before it is answered with 503. Default 5,000. */
  readonly timeoutMs?: number
  /** Default: the system's. */
  readonly clock?: Clock
}

const subject = 'statusHandler'
const known = ['engine', 'basePath', 'authorize', 'cacheMs', 'timeoutMs', 'clock'] satisfies readonly (keyof StatusHandlerOptions)[]

/**
 * A handler of Web-standard requests that tells how the nodes are, for people, load balancers and monitoring systems.
 *
 * - `GET /api/status`: state of the cluster, names and states of its nodes. 200 if the cluster is `OK`, otherwise 503.
 * - `GET /api/status/<node>`: one node. 200 if it is `OK`, otherwise 503; 404 if there is no such node.
 * - `?details=true`: with checks, messages, versions and host names.
 *
 * HEAD is answered alike without a body, other methods with 405. All bodies are JSON. When the engine cannot tell (its store does not answer in time, or
 * it was stopped), the answer is 503 with the state `Critical` and the code of the error, its message only with details. It reads only; it may be called any
 * number of times at once, and asks the engine at most once per `cacheMs`. It never rejects. INVALID_OPTIONS for a mistake in the options.
 *
 * @example
 * ```ts
 * const handler = statusHandler({ engine })
 * createServer(toNodeListener(handler)).listen(8080, '127.0.0.1')
 * ```
 */
export function statusHandler(options: StatusHandlerOptions): (request: Request) => Promise<Response> {
  assertOptions(options)
  const { engine, basePath = '/api/status', authorize, cacheMs = 1_000, timeoutMs = 5_000, clock = systemClock } = options
  const find = sharedStatus(engine, clock, cacheMs)
  const findInTime = async (signal: AbortSignal): Promise<Found> => {
    try {
      return await withDeadline({ signal, clock, milliseconds: timeoutMs, name: 'The status' }, find)
    } catch (error) {
      return { error }
    }
  }
  return async (request) => {
    try {
      const url = new URL(request.url)
      const details = url.searchParams.get('details') === 'true'
      if (authorize && (await authorize(request, { details })) !== true) return answer(request, 403, { error: 'FORBIDDEN' })
      if (request.method !== 'GET' && request.method !== 'HEAD')
        return answer(request, 405, { error: 'METHOD_NOT_ALLOWED' }, { allow: 'GET, HEAD' })
      const node = nodeOf(url.pathname, basePath)
      if (node === undefined) return answer(request, 404, { error: 'NOT_FOUND' })
      return statusAnswer(request, await findInTime(request.signal), node, details)
    } catch {
      // Only `authorize` can have thrown. Who asks is nobody yet, so nothing is shown.
      return answer(request, 500, { error: 'INTERNAL' })
    }
  }
}

/** Null: all nodes. Undefined: no path of this handler. */
function nodeOf(path: string, basePath: string): string | null | undefined {
  if (path === basePath || path === `${basePath}/`) return null
  if (!path.startsWith(`${basePath}/`)) return undefined
  const name = path.slice(basePath.length + 1)
  // Names of nodes need no escapes, so whatever is escaped is no name.
  return name.includes('/') ? undefined : name
}

function statusAnswer(request: Request, found: Found, name: string | null, details: boolean): Response {
  if ('error' in found) return answer(request, 503, { state: 'Critical', error: errorOf(found.error, details) })
  if (name === null) return answer(request, codeFor(found.cluster.state), details ? found.cluster : plainCluster(found.cluster))
  const node = found.cluster.nodes.find((each) => each.node === name)
  if (!node) return answer(request, 404, { error: 'NOT_FOUND' })
  return answer(request, codeFor(node.state), details ? node : plainNode(node))
}

const codeFor = (state: string): number => (state === 'OK' ? 200 : 503)

const plainCluster = ({ state, nodes }: ClusterView): ClusterView => ({ state, nodes: nodes.map(plainNode) })
const plainNode = ({ node, state, lastReport, ageMs }: NodeView): NodeView => ({ node, state, lastReport, ageMs })

function errorOf(error: unknown, details: boolean): { readonly code: string; readonly message?: string } {
  const code = codeOf(error) ?? 'INTERNAL'
  return { code, ...(details && HoldfastError.isInstance(error) && { message: error.message }) }
}

/** What a moment ago was true may be wrong now, so nobody on the way keeps it. */
function answer(request: Request, status: number, body: object, headers: { readonly [name: string]: string } = {}): Response {
  const text = `${JSON.stringify(body)}\n`
  return new Response(request.method === 'HEAD' ? null : text, {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...headers },
  })
}

function assertOptions(options: StatusHandlerOptions): void {
  const mistakes: OptionsMistake[] = [...unknownKeys(options, known, { source: 'engine', path: 'basePath' })]
  const { engine, basePath, authorize, cacheMs, timeoutMs }: Partial<StatusHandlerOptions> = options ?? {}
  if (typeof engine?.status !== 'function') mistakes.push({ path: 'engine', problem: `is ${showValue(engine)}; expected an engine` })
  if (basePath !== undefined && !(typeof basePath === 'string' && /^(\/[^/?#]+)+$/.test(basePath)))
    mistakes.push({
      path: 'basePath',
      problem: `is ${showValue(basePath)}; expected a path such as /api/status, without a slash at its end`,
    })
  if (authorize !== undefined && typeof authorize !== 'function')
    mistakes.push({ path: 'authorize', problem: `is ${showValue(authorize)}; expected a function` })
  if (cacheMs !== undefined && !(typeof cacheMs === 'number' && cacheMs >= 0))
    mistakes.push({ path: 'cacheMs', problem: `is ${showValue(cacheMs)}; expected a number of milliseconds` })
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs > 0))
    mistakes.push({ path: 'timeoutMs', problem: `is ${showValue(timeoutMs)}; expected a number of milliseconds above 0` })
  if (mistakes.length > 0) throw invalidOptions(subject, mistakes)
}
