import { createHash, type Hash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createVmdkDecoder } from '@holdfast/disk-image'
import type { Host } from './calls/call.ts'
import type { LeaseDevice, SimulatedLease } from './simulated-lease.ts'
import { happen, type TransferEvent } from './simulated-leases.ts'

/** Where the bytes of an upload go. A rejection is answered with 500 and its message. */
export interface UploadSink {
  write(chunk: Uint8Array): Promise<void>
  /** After the last byte. */
  end(): Promise<void>
}

/** A disk that is decoded while it comes. */
export function diskSink(put: (index: number, bytes: Uint8Array) => void): UploadSink {
  const decoder = createVmdkDecoder({ signal: new AbortController().signal })
  let first = true
  return {
    async write(chunk) {
      try {
        for await (const { index, bytes } of decoder.feed(chunk)) put(index, bytes)
      } catch {
        throw new Error(first ? 'invalid sparse VMDK header' : 'invalid VMDK stream')
      }
      first = false
    },
    async end() {
      for await (const { index, bytes } of decoder.end()) put(index, bytes)
    },
  }
}

/** A file that is kept whole. */
export function fileSink(keep: (bytes: Uint8Array) => void): UploadSink {
  const parts: Buffer[] = []
  return {
    write: async (chunk) => void parts.push(Buffer.from(chunk)),
    end: async () => keep(Buffer.concat(parts)),
  }
}

const diskType = 'application/x-vnd.vmware-streamVmdk'

/** What is wrong with the head of a request, as hosts answer it. */
function refusalOf(
  { method, headers }: IncomingMessage,
  { disk }: LeaseDevice,
): { readonly status: number; readonly text: string } | undefined {
  if (headers['content-length'] === undefined) return { status: 411, text: 'Length Required' }
  if (disk) {
    if (method !== 'POST') return { status: 405, text: `Cannot ${method} to disk files` }
    return headers['content-type'] === diskType ? undefined : { status: 415, text: `A disk is ${diskType}` }
  }
  if (method !== 'PUT') return { status: 405, text: `Cannot ${method} to non-disk files` }
  return headers.overwrite === 't' ? undefined : { status: 409, text: 'The file exists' }
}

/** An upload under way, and what of it has come. */
interface Receiving {
  readonly host: Host
  readonly lease: SimulatedLease
  readonly device: LeaseDevice
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly signal: AbortSignal
  received: number
}

function answer({ response, request }: Receiving, status: number, text: string): void {
  // As hosts do: what still comes is not read.
  response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(text)
  request.unpipe()
}

/** Does what was scripted. False: nothing more is taken. */
async function does(receiving: Receiving, event: TransferEvent): Promise<boolean> {
  const { host, lease, request, signal } = receiving
  if (event.does === 'status') answer(receiving, event.status, 'An internal error has occurred.')
  if (event.does === 'end') answer(receiving, 200, '')
  if (event.does === 'fail') lease.fail(event.fault)
  if (event.does === 'fail' || event.does === 'reset') request.socket.destroy()
  if (event.does === 'stall') await once(signal, 'abort')
  await happen(host, event, { signal })
  return ['pause', 'call', 'wrong-sum'].includes(event.does)
}

async function take(receiving: Receiving, sink: UploadSink, hashes: readonly Hash[], events: readonly TransferEvent[]): Promise<boolean> {
  const waiting = events.toSorted((one, other) => (one.afterBytes ?? 0) - (other.afterBytes ?? 0))
  const upTo = async (): Promise<boolean> => {
    for (let [next] = waiting; next !== undefined && (next.afterBytes ?? 0) <= receiving.received; [next] = waiting) {
      waiting.shift()
      if (!(await does(receiving, next))) return false
    }
    return true
  }
  if (!(await upTo())) return false
  // Not by iteration: that would destroy the connection when it is left, and nobody could be answered.
  for await (const chunk of receiving.request.iterator({ destroyOnReturn: false })) {
    for (const hash of hashes) hash.update(chunk)
    await sink.write(chunk)
    receiving.received += chunk.length
    if (!(await upTo())) return false
  }
  await sink.end()
  return true
}

/** Takes a file of an import as strictly as hosts do, counts and hashes it, and answers. */
export async function receiveUpload(
  host: Host,
  lease: SimulatedLease,
  device: LeaseDevice,
  sink: UploadSink,
  exchange: { readonly request: IncomingMessage; readonly response: ServerResponse },
): Promise<void> {
  const { request, response } = exchange
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const receiving: Receiving = { host, lease, device, request, response, signal: gone.signal, received: 0 }
  const refusal = refusalOf(request, device)
  if (refusal !== undefined) return answer(receiving, refusal.status, refusal.text)
  const path = request.url ?? ''
  const events = host.leases.takeScript(path.slice(path.lastIndexOf('/') + 1))
  const [sha1, sha256] = [createHash('sha1'), createHash('sha256')]
  try {
    if (!(await take(receiving, sink, [sha1, sha256], events))) return
  } catch (error) {
    if (gone.signal.aborted || request.destroyed) return
    return answer(receiving, 500, error instanceof Error ? error.message : 'An internal error has occurred.')
  }
  const wrong = events.some((event) => event.does === 'wrong-sum')
  const sum = (text: string): string => (wrong ? text.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) : text)
  lease.passed(device.key, { size: receiving.received, sha1: sum(sha1.digest('hex')), sha256: sum(sha256.digest('hex')) })
  response.writeHead(201).end()
}
