import { type DiskFormat, type DiskStream, httpPut, type OpenPoint } from '@holdfast/core/offline'
import { codeOf, HoldfastError, type StoredDisk } from '@holdfast/core/spec'
import type { Host } from '../host.ts'
import { printable } from '../printable.ts'
import { targetError } from './target-errors.ts'

/** Where a disk is sent. */
export interface Destination {
  /** For people, without user, password or query. */
  readonly label: string
  /** Absent: the standard output. */
  readonly address?: URL
}

/** What was sent, whole. JSON. */
export interface SentDisk {
  readonly disk: { readonly key: string; readonly name: string; readonly size: number }
  readonly format: DiskFormat
  readonly to: string
  readonly bytes: number
  /** Only of an address. */
  readonly status?: number
}

/** `-`, or an address. Throws INVALID_OPTIONS for anything else, or when the host has no place for bytes; it never repeats the word, which may hold a password. */
export function parseDestination(word: string, { output }: Host): Destination {
  const refuse = (problem: string, remedy: string) => new HoldfastError('INVALID_OPTIONS', problem, { remedy })
  if (word === '-') {
    if (output === undefined)
      throw refuse('There is no standard output for bytes here.', 'Name an address with --to, or a folder with --into.')
    if (output.terminal)
      throw refuse('The standard output is a terminal, and a disk is no text.', 'Write "| PROGRAM" or "> FILE" behind the command.')
    return { label: 'the standard output' }
  }
  const url = URL.parse(word)
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:'))
    return { label: `${url.origin}${url.pathname}`, address: url }
  throw refuse(
    '--to takes - for the standard output, or an address that begins with http:// or https://.',
    'For a file write "--to - > FILE", for a folder use --into.',
  )
}

/** The disk with this key, or the only one. */
export function chooseDisk({ source: { disks, point } }: OpenPoint, key: string | undefined): StoredDisk {
  const known = disks.map((disk) => `${disk.key} (${disk.name})`).join(', ')
  const found = key === undefined ? disks : disks.filter((disk) => disk.key === key)
  const [disk] = found
  if (disk !== undefined && found.length === 1) return disk
  if (disks.length === 0)
    throw new HoldfastError('INVALID_OPTIONS', `Point ${point} holds no disk, and only disks are sent.`, {
      remedy: 'Write its files with --into.',
    })
  if (key === undefined)
    throw new HoldfastError('INVALID_OPTIONS', `Point ${point} holds ${disks.length} disks. Which one?`, {
      remedy: `Add --disk with one of: ${known}.`,
    })
  throw new HoldfastError('NOT_FOUND', `Point ${point} has no disk ${JSON.stringify(key)}.`, { remedy: `There are: ${known}.` })
}

/** What tells of it on the way. */
export interface SendContext {
  readonly opened: OpenPoint
  readonly host: Host
  tell(line: string): void
}

/** Sends one disk. When it resolves, all of it has left and every hash matched; when it rejects, it was told how far it came. */
export async function sendDisk(key: string, format: DiskFormat, destination: Destination, context: SendContext): Promise<SentDisk> {
  const { opened, host, tell } = context
  const stream = await opened.streamDisk(key, { format, signal: host.signal })
  const { disk, size } = stream
  const length = size === undefined ? 'a length that is known at its end' : `${size} bytes`
  const sent: Sent = { ended: false, bytes: 0, inHand: 0 }
  try {
    tell(printable(`Disk "${disk.name}" (${disk.key}) as ${format}, ${length}, to ${destination.label}`))
    const counted = countedStream(stream, sent)
    const { address } = destination
    const answer =
      address === undefined ? await toOutput(counted, host) : await httpPut(address, counted, { clock: host.clock, signal: host.signal })
    tell(`${sent.bytes} bytes sent. Every hash matched.`)
    return { disk, format, to: address === undefined ? '-' : destination.label, bytes: sent.bytes, ...answer }
  } catch (error) {
    tell(failureOf(sent, size, destination, error))
    throw error
  } finally {
    await stream[Symbol.asyncDispose]()
  }
}

interface Sent {
  /** The reader is done with all of it, and asked for more. */
  ended: boolean
  /** What the reader is done with. */
  bytes: number
  /** Length of what he has in his hands: nobody knows how much of it has left. */
  inHand: number
}

/** How far it came, and what that makes of what is there now. */
function failureOf(sent: Sent, size: number | undefined, { address }: Destination, error: unknown): string {
  const { ended, bytes, inHand } = sent
  // A file behind a ">" is there before the first byte.
  if (bytes + inHand === 0)
    return address === undefined ? 'Nothing of the disk was sent: a file behind the ">" is empty.' : 'Nothing of the disk was sent.'
  const answered = HoldfastError.isInstance(error) && Object.hasOwn(Object(error.details), 'status')
  if (answered && (ended || bytes + inHand === size))
    return `NOT TAKEN: all ${bytes + inHand} bytes were sent, but the server refused them. Whatever is there now is not the disk.`
  if (ended)
    return `NOT CONFIRMED: all ${bytes} bytes were sent, but the server did not say that it has them. Do not rely on what is there.`
  return `INCOMPLETE: it ended ${endOf(sent, size)}. What came there is not the disk: throw it away.`
}

function endOf({ bytes, inHand }: Sent, size: number | undefined): string {
  const of = size === undefined ? '' : ` of ${size}`
  return inHand === 0 ? `after ${bytes} bytes${of}` : `between byte ${bytes} and byte ${bytes + inHand}${of}`
}

function countedStream(stream: DiskStream, sent: Sent): DiskStream {
  async function* counted(chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      const { length } = chunk
      sent.inHand = length
      yield chunk
      sent.bytes += length
      sent.inHand = 0
    }
    sent.ended = true
  }
  return { ...stream, open: (options) => counted(stream.open(options)) }
}

async function toOutput(stream: DiskStream, { output, signal }: Host): Promise<object> {
  try {
    for await (const chunk of stream.open({ signal })) await output?.write(chunk, { signal })
    return {}
  } catch (error) {
    if (codeOf(error) !== 'EPIPE') throw targetError(error, 'the standard output')
    throw new HoldfastError('PROVIDER_FAILED', 'whoever reads the standard output has closed it before the end', {
      cause: error,
      remedy: 'Look at the program behind the "|": it has ended, or lost its connection.',
    })
  }
}
