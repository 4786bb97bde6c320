import { type BlockSource, type CallOptions, HoldfastError, throwIfAborted } from '@holdfast/core/spec'
import { type Dispatcher, request } from 'undici'
import type { Connection } from '../connection.ts'
import { connectionError, textOf } from '../vim25/host-requests.ts'
import { createPinnedAgent } from '../vim25/pinned-agent.ts'
import { folderUrl } from './datastore-path.ts'
import { endedEarly, type ReadFile, refusedRead, tooLarge, wrongAnswer } from './file-errors.ts'

/** Files of the datastores of one datacenter, over HTTP. Disposing closes its connections. */
export interface DatastoreFiles extends AsyncDisposable {
  /**
   * A small file, whole.
   * @throws UNSUPPORTED: it has more than `most` bytes; no more than that is held.
   */
  readWhole(file: ReadFile, most: number, options: CallOptions): Promise<Uint8Array>
  /**
   * A file by position, in ranges of at most 4 MiB. A connection that breaks is read on from where it was, some times.
   * @param size Bytes that it must have.
   */
  blocks(file: ReadFile, size: number, onBytes: (count: number) => void): BlockSource
  /** Bytes of files that have come so far. */
  received(): number
}

const limits = { connectMs: 30_000, answerMs: 120_000, bodyMs: 120_000 }
const rangeBytes = 4 * 1024 * 1024
/** Milliseconds before a range is asked for again. */
const pauses = [0, 1000, 2000, 5000, 10_000, 30_000]
/** A gateway, or a host that is busy: it may pass. */
const passing = new Set([401, 502, 503, 504])

interface Client {
  readonly connection: Connection
  readonly agent: ReturnType<typeof createPinnedAgent>
  readonly datacenter: string
  received: number
}

type Answer = Dispatcher.ResponseData

/** The session goes to the host that gave it, and nowhere else: redirections are not followed. */
function ask(
  { connection, agent, datacenter }: Client,
  { file }: ReadFile,
  first: number,
  last: number,
  { signal }: CallOptions,
): Promise<Answer> {
  const { settings, session } = connection
  const address = { host: settings.host, port: settings.port }
  const cookie = session.client.sessionCookie(address)
  return request(`https://${textOf(address)}${folderUrl(file, datacenter)}`, {
    dispatcher: agent,
    method: 'GET',
    signal,
    headers: { range: `bytes=${first}-${last}`, ...(cookie !== undefined && { cookie }) },
  })
}

/** What is not read is thrown away, with its connection if it is long. */
const drop = async ({ body }: Answer): Promise<void> => body.dump({ limit: 64 * 1024 }).catch(() => undefined)

/** Why it is worth to ask again. */
interface Again {
  readonly cause: unknown
}

/** One request: nothing, when it went well; the status of an answer that is no good; why it is worth to ask again. */
type Work = () => Promise<Again | number | undefined>

/** Does one request. What may pass is returned; everything else is thrown. */
async function once(client: Client, file: ReadFile, options: CallOptions, work: Work): Promise<Again | undefined> {
  const { session, settings } = client.connection
  try {
    const status = await work()
    if (typeof status !== 'number') return status
    const cause = refusedRead(status, file, settings)
    if (!passing.has(status)) throw cause
    // The session has ended: any call opens it again.
    if (status === 401)
      await session.call('CurrentTime', { type: 'ServiceInstance', value: 'ServiceInstance' }, {}, { signal: options.signal })
    return { cause }
  } catch (cause) {
    throwIfAborted(options.signal)
    if (HoldfastError.isInstance(cause)) throw cause
    return { cause: connectionError(cause, settings, file.what, options) }
  }
}

/** Asks until it goes well, or for the last time. */
async function again(client: Client, file: ReadFile, options: CallOptions, work: Work): Promise<void> {
  const { clock } = client.connection
  let failed = await once(client, file, options, work)
  for (const pause of pauses) {
    if (failed === undefined) return
    await clock.sleep(pause, options)
    failed = await once(client, file, options, work)
  }
  if (failed !== undefined) throw failed.cause
}

/** @throws The answer says that it is another range, or that the file has another size. */
function checkRange(
  { headers }: Answer,
  wanted: { readonly first: number; readonly last: number; readonly size: number },
): string | undefined {
  const text = String(headers['content-range'] ?? 'none')
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(text) ?? []
  if (Number(first) !== wanted.first || Number(last) !== wanted.last) return `the range ${text} instead of ${wanted.first}-${wanted.last}`
  return size === '*' || Number(size) === wanted.size ? undefined : `the file has ${size} bytes instead of ${wanted.size}`
}

async function readRange(
  client: Client,
  file: ReadFile,
  size: number,
  target: Uint8Array,
  offset: number,
  options: CallOptions,
): Promise<void> {
  let filled = 0
  const fail = (why: string) => wrongAnswer(file, client.connection.settings, why)
  await again(client, file, options, async () => {
    const wanted = { first: offset + filled, last: offset + target.length - 1, size }
    const answer = await ask(client, file, wanted.first, wanted.last, options)
    const wrong = answer.statusCode === 206 ? checkRange(answer, wanted) : undefined
    if (answer.statusCode !== 206 || wrong !== undefined) {
      await drop(answer)
      if (wrong !== undefined) throw fail(wrong)
      return answer.statusCode
    }
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      if (filled + chunk.length > target.length) throw fail('more bytes than it announced')
      target.set(chunk, filled)
      filled += chunk.length
      client.received += chunk.length
    }
    if (filled < target.length) return { cause: endedEarly(file, client.connection.settings) }
    return undefined
  })
}

async function readWhole(client: Client, file: ReadFile, most: number, options: CallOptions): Promise<Uint8Array> {
  let whole: Uint8Array = new Uint8Array()
  await again(client, file, options, async () => {
    const answer = await ask(client, file, 0, most, options)
    // From the beginning, and held to `most`: here a host may answer with the whole file.
    if (answer.statusCode !== 206 && answer.statusCode !== 200) {
      await drop(answer)
      return answer.statusCode
    }
    const chunks: Uint8Array[] = []
    let bytes = 0
    const announced = Number(/\/(\d+)$/.exec(String(answer.headers['content-range'] ?? ''))?.[1] ?? answer.headers['content-length'] ?? 0)
    if (announced > most) {
      await drop(answer)
      throw tooLarge(file, most)
    }
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length
      if (bytes > most) throw tooLarge(file, most)
      chunks.push(chunk)
      client.received += chunk.length
    }
    if (bytes < announced) return { cause: endedEarly(file, client.connection.settings) }
    whole = Buffer.concat(chunks)
    return undefined
  })
  return whole
}

/**
 * Reads files of datastores with the session of the connection.
 * @param datacenter Inventory path of their datacenter.
 * @throws In what it gives: IN_USE (the host has the file locked), ACCESS_DENIED, UNSUPPORTED (the host knows no ranges), PROVIDER_FAILED, UNREACHABLE. An aborted
 * signal rejects with its reason.
 *
 * Source: vSphere Web Services SDK Programming Guide, "HTTP access to vSphere server files"; of ranges: RFC 9110, 14.
 */
export function openDatastoreFiles(connection: Connection, datacenter: string): DatastoreFiles {
  const client: Client = { connection, datacenter, agent: createPinnedAgent(connection.settings.thumbprint, limits), received: 0 }
  return {
    readWhole: (file, most, options) => readWhole(client, file, most, options),
    blocks: (file, size, onBytes) => ({
      size,
      readers: 2,
      readBytes: rangeBytes,
      async readInto(target, offset, options) {
        throwIfAborted(options.signal)
        if (!(offset >= 0) || offset + target.length > size)
          throw new RangeError(`a read of ${target.length} bytes at ${offset} leaves ${file.what}`)
        for (let at = 0; at < target.length; at += rangeBytes) {
          const part = target.subarray(at, at + rangeBytes)
          await readRange(client, file, size, part, offset + at, options)
          onBytes(part.length)
        }
      },
      async [Symbol.asyncDispose]() {},
    }),
    received: () => client.received,
    [Symbol.asyncDispose]: () => client.agent.destroy(),
  }
}
