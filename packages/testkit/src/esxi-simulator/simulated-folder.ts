import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Host } from './calls/call.ts'
import { type DatastoreFile, type FileEvent, fileOf } from './simulated-files.ts'

function fileAt({ files, machines, places }: Host, name: string, path: string): DatastoreFile | undefined {
  const datastore = places.datastores.find((one) => one.name === name)
  return datastore && (files.placed(path) ?? fileOf(machines, datastore, path))
}

const pieceBytes = 256 * 1024

/** Sends a range, and breaks off after `cut` bytes of it. */
async function send(
  response: ServerResponse,
  file: DatastoreFile,
  first: number,
  last: number,
  cut = Number.POSITIVE_INFINITY,
): Promise<void> {
  const end = Math.min(last + 1, first + cut)
  for (let at = first; at < end; at += pieceBytes) {
    const bytes = await file.read(at, Math.min(pieceBytes, end - at))
    if (response.destroyed) return
    await new Promise<void>((resolve) => response.write(bytes, () => resolve()))
  }
  if (end <= last) response.destroy()
  else response.end()
}

async function answer(
  file: DatastoreFile,
  range: string | undefined,
  event: FileEvent | undefined,
  response: ServerResponse,
): Promise<void> {
  const asked = event?.does === 'whole' ? null : /^bytes=(\d+)-(\d+)$/.exec(range ?? '')
  const cut = event?.does === 'cut' ? event.afterBytes : undefined
  if (asked === null) {
    response.writeHead(200, { 'content-length': file.size })
    return send(response, file, 0, file.size - 1, cut)
  }
  const shift = event?.does === 'shift' ? 512 : 0
  const [first, last] = [Number(asked[1]) + shift, Math.min(Number(asked[2]) + shift, file.size - 1)]
  if (first > last) return void response.writeHead(416, { 'content-range': `bytes */${file.size}` }).end()
  response.writeHead(206, { 'content-length': last + 1 - first, 'content-range': `bytes ${first}-${last}/${file.size}` })
  return send(response, file, first, last, cut)
}

/**
 * Files of datastores over HTTP, whole or a range, for who has a session. What a running machine writes is answered with 500.
 *
 * Source: vSphere Web Services SDK Programming Guide, "HTTP access to vSphere server files": `/folder/PATH?dcPath=...&dsName=...`.
 */
export async function answerFolder(host: Host, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'https://host')
  const session = /vmware_soap_session="?([^";]+)/.exec(request.headers.cookie ?? '')?.[1]
  const path = decodeURIComponent(url.pathname.slice('/folder/'.length))
  const { range } = request.headers
  host.files.requests.push(`${path} ${range?.replace('bytes=', '') ?? 'whole'}`)
  const event = host.files.eventFor(path)
  if (event?.does === 'call') await event.call()
  if (!host.sessions.has(session ?? '')) return void response.writeHead(401).end()
  if (event?.does === 'status') return void response.writeHead(event.status).end()
  const datacenter = url.searchParams.get('dcPath') ?? 'ha-datacenter'
  const known = host.apiType === 'HostAgent' ? 'ha-datacenter' : 'Sites/Main'
  const file = datacenter === known ? fileAt(host, url.searchParams.get('dsName') ?? '', path) : undefined
  if (file === undefined || request.method !== 'GET') return void response.writeHead(404).end()
  if (file.locked) return void response.writeHead(500).end('<html><body>Failed to open the file: it is locked.</body></html>')
  await answer(file, range, event, response)
}
