import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Host } from './calls/call.ts'
import type { LeaseDevice, SimulatedLease } from './simulated-lease.ts'
import { happen, type TransferEvent } from './simulated-leases.ts'

/** The answer to a GET, and what has been sent of it. */
interface Sending {
  readonly host: Host
  readonly lease: SimulatedLease
  readonly device: LeaseDevice
  readonly response: ServerResponse
  readonly signal: AbortSignal
  sent: number
}

const isAborted = (error: unknown): boolean => error instanceof Error && (error.name === 'AbortError' || 'code' in error)

/** Does what was scripted. False: nothing more is sent. */
async function does(sending: Sending, event: TransferEvent): Promise<boolean> {
  const { host, lease, response, signal } = sending
  if (event.does === 'status') response.writeHead(event.status, { 'content-type': 'text/plain' }).end('An internal error has occurred.')
  if (event.does === 'end') response.end()
  if (event.does === 'fail') lease.fail(event.fault)
  if (event.does === 'fail' || event.does === 'reset') response.destroy()
  if (event.does === 'stall') await once(signal, 'abort')
  await happen(host, event, { signal })
  return ['pause', 'call', 'wrong-sum'].includes(event.does)
}

async function write({ response, signal }: Sending, bytes: Uint8Array): Promise<void> {
  // A copy: the chunk is lent, and the connection keeps it for a while.
  if (!response.write(Buffer.from(bytes))) await once(response, 'drain', { signal })
}

async function send(sending: Sending, events: readonly TransferEvent[]): Promise<void> {
  const { lease, device, response, signal } = sending
  const waiting = events.toSorted((one, other) => (one.afterBytes ?? 0) - (other.afterBytes ?? 0))
  const [sha1, sha256] = [createHash('sha1'), createHash('sha256')]
  const upTo = async (): Promise<boolean> => {
    for (let [next] = waiting; next !== undefined && (next.afterBytes ?? 0) <= sending.sent; [next] = waiting) {
      waiting.shift()
      if (!(await does(sending, next))) return false
    }
    return true
  }
  if (!(await upTo())) return
  response.writeHead(200, { 'content-type': device.disk ? 'application/x-vnd.vmware-streamVmdk' : 'application/octet-stream' })
  const body = await device.body?.({ signal })
  for await (const chunk of body ?? []) {
    sha1.update(chunk)
    sha256.update(chunk)
    for (let at = 0; at < chunk.length; ) {
      const stop = waiting[0]?.afterBytes ?? Number.POSITIVE_INFINITY
      const part = chunk.subarray(at, at + stop - sending.sent)
      await write(sending, part)
      at += part.length
      sending.sent += part.length
      if (!(await upTo())) return
    }
  }
  response.end()
  const wrong = events.some((event) => event.does === 'wrong-sum')
  const sum = (text: string): string => (wrong ? text.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) : text)
  lease.passed(device.key, { size: sending.sent, sha1: sum(sha1.digest('hex')), sha256: sum(sha256.digest('hex')) })
}

/** Answers requests for the files of leases. Needs no session: the path is a ticket. False: the path is not about one. */
export function answerTransfer(host: Host, request: IncomingMessage, response: ServerResponse): boolean {
  const path = request.url ?? ''
  if (!/^\/(ha-)?nfc\//.test(path)) return false
  const name = path.slice(path.lastIndexOf('/') + 1)
  host.leases.transfers.push(`${request.method} ${name}`)
  host.leases.cookies.push(request.headers.cookie)
  const found = host.leases.find(path)
  if (found === undefined || found.lease.state !== 'ready') {
    response.writeHead(404).end()
    return true
  }
  const { lease, device } = found
  const fail = (error: unknown): void => {
    response.destroy()
    if (!isAborted(error)) throw error
  }
  if (request.method === 'GET' && device.body !== undefined) {
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    send({ host, lease, device, response, signal: gone.signal, sent: 0 }, host.leases.takeScript(name)).catch(fail)
  } else if (device.receive !== undefined) device.receive(request, response, lease).catch(fail)
  else response.writeHead(405).end()
  return true
}
