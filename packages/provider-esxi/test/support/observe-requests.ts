import { subscribe } from 'node:diagnostics_channel'
import type { CallHook } from '@holdfast/testkit'

const methodIn = (body: unknown): string | undefined => /Body><(\w+)/.exec(String(body))?.[1]

/** `disk-0.vmdk` of a path with a ticket, which no two runs share. */
const fileIn = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/**
 * Every request that this process sends to a host passes the hook: before anything of it is sent, and after all of its answer has come, but nobody has seen it yet.
 * The channels are those of undici (calls, downloads) and of Node.js (uploads); what is called on them ends before the request goes on, so a process that kills
 * itself in the hook dies at that point.
 */
export function observeRequests(hook: CallHook): void {
  const counts = new Map<string, number>()
  const names = new WeakMap<object, { readonly method: string; readonly count: number }>()
  const tell = (request: object, phase: 'before' | 'after', name?: string): void => {
    if (name !== undefined) {
      counts.set(name, (counts.get(name) ?? 0) + 1)
      names.set(request, { method: name, count: counts.get(name) ?? 0 })
    }
    const known = names.get(request)
    if (known !== undefined) void hook({ seam: 'host', ...known, phase, arguments: [] })
  }
  subscribe('undici:request:create', (message) => {
    const { request } = message as { request: { method: string; path: string; body: unknown } }
    tell(request, 'before', methodIn(request.body) ?? `${request.method} ${fileIn(request.path)}`)
  })
  subscribe('undici:request:trailers', (message) => tell((message as { request: object }).request, 'after'))
  subscribe('http.client.request.created', (message) => {
    const { request } = message as { request: { method: string; path: string } }
    tell(request, 'before', `${request.method} ${fileIn(request.path)}`)
  })
  subscribe('http.client.response.finish', (message) => tell((message as { request: object }).request, 'after'))
}
