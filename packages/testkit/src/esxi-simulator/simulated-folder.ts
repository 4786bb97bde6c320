import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Host } from './calls/call.ts'

/** The text of a file of a datastore; undefined: there is none. Of the files of machines only their settings are there. */
function fileAt({ machines, places }: Host, datastore: string, path: string): string | undefined {
  if (!places.datastores.some(({ name }) => name === datastore)) return undefined
  const machine = machines.find(({ name }) => path === `${name}/${name}.vmx`)
  return machine && `.encoding = "UTF-8"\ndisplayName = "${machine.name}"\n`
}

/**
 * Files of datastores over HTTP, whole or a range, for who has a session.
 *
 * Source: vSphere Web Services SDK Programming Guide, "HTTP access to vSphere server files": `/folder/PATH?dcPath=...&dsName=...`.
 */
export function answerFolder(host: Host, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'https://host')
  const session = /vmware_soap_session="?([^";]+)/.exec(request.headers.cookie ?? '')?.[1]
  if (!host.sessions.has(session ?? '')) return void response.writeHead(401).end()
  const datacenter = url.searchParams.get('dcPath') ?? 'ha-datacenter'
  const known = host.apiType === 'HostAgent' ? 'ha-datacenter' : 'Sites/Main'
  const path = decodeURIComponent(url.pathname.slice('/folder/'.length))
  const file = datacenter === known ? fileAt(host, url.searchParams.get('dsName') ?? '', path) : undefined
  if (file === undefined || request.method !== 'GET') return void response.writeHead(404).end()
  const bytes = Buffer.from(file)
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
  if (range === null) return void response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
  const [first, last] = [Number(range[1]), Math.min(Number(range[2]), bytes.length - 1)]
  if (first > last) return void response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end()
  const part = bytes.subarray(first, last + 1)
  response.writeHead(206, { 'content-length': part.length, 'content-range': `bytes ${first}-${last}/${bytes.length}` }).end(part)
}
