import { createHash, type Hash } from 'node:crypto'
import { type ByteStream, type CallOptions, HoldfastError, pullFrom } from '@holdfast/core/spec'
import { openUpload, type UploadHead, type UploadRequest } from './upload-request.ts'

/** A file and how it is sent. */
export interface Upload extends Omit<UploadHead, 'headers' | 'method'> {
  /** A disk is posted as a stream that the host writes into it; anything else is put as a file. */
  readonly disk: boolean
  /** What the host will be compared by. Absent: nothing is hashed here. */
  readonly digest?: 'sha1' | 'sha256'
  open(options: CallOptions): Promise<ByteStream>
  /** After each piece: bytes that have been sent. */
  onSent(bytes: number): void
  /** The better reason for a failure of the connection or a refusal: what the lease says. */
  explain(error: unknown): Promise<unknown>
}

/** What was sent. */
export interface Sent {
  readonly size: number
  /** Lower-case hex. */
  readonly digest?: string
}

/** Large pieces are cheaper to send; while one is sent the other one is filled. */
const pieceBytes = 512 * 1024

const headersOf = (disk: boolean): { readonly [name: string]: string } =>
  disk ? { 'content-type': 'application/x-vnd.vmware-streamVmdk' } : { 'content-type': 'application/octet-stream', overwrite: 't' }

/** Collects lent chunks into two buffers, and writes one while the other is filled. */
function createPieces(request: UploadRequest, sent: (piece: Uint8Array) => void) {
  const free: Buffer[] = [Buffer.allocUnsafeSlow(pieceBytes), Buffer.allocUnsafeSlow(pieceBytes)]
  let filling = free.pop() as Buffer
  let filled = 0
  let underWay: Promise<boolean> = Promise.resolve(true)
  const flush = async (): Promise<boolean> => {
    // Then the other buffer is free.
    if (!(await underWay)) return false
    const full = filling
    const piece = full.subarray(0, filled)
    filling = free.pop() as Buffer
    filled = 0
    underWay = request.write(piece).then((more) => {
      sent(piece)
      free.push(full)
      return more
    })
    underWay.catch(() => {})
    return true
  }
  return {
    /** False: the host takes no more. */
    async add(chunk: Uint8Array): Promise<boolean> {
      for (let at = 0; at < chunk.length; ) {
        const part = chunk.subarray(at, at + pieceBytes - filled)
        filling.set(part, filled)
        at += part.length
        filled += part.length
        if (filled === pieceBytes && !(await flush())) return false
      }
      return true
    },
    /** The same, of what is left. */
    async end(): Promise<boolean> {
      return (filled === 0 || (await flush())) && underWay
    },
  }
}

/** Reads the file and sends it. Errors of the file itself pass through; those of the host are explained. */
async function sendBytes(upload: Upload, request: UploadRequest, hash: Hash | undefined, options: CallOptions): Promise<number> {
  const { size, what, explain } = upload
  const bytes = await upload.open(options)
  const pull = pullFrom(bytes, options)
  const byHost = <Result>(work: Promise<Result>): Promise<Result> =>
    work.catch(async (error: unknown) => Promise.reject(await explain(error)))
  let total = 0
  let counted = 0
  const pieces = createPieces(request, (piece) => {
    counted += piece.length
    upload.onSent(counted)
  })
  let more = true
  try {
    for (let chunk = await pull.next(); chunk !== undefined && more; chunk = await pull.next()) {
      total += chunk.length
      if (total > size) break
      hash?.update(chunk)
      more = await byHost(pieces.add(chunk))
    }
    if (more && total !== size)
      throw new HoldfastError(
        'POINT_DAMAGED',
        `${what} has ${total > size ? 'more than' : `${total} of`} the ${size} bytes that it should have.`,
      )
    if (more) more = await byHost(pieces.end())
  } finally {
    pull.close()
    await bytes[Symbol.asyncDispose]?.()
  }
  // Also when the host has answered before the end: mostly it says why.
  await byHost(request.end())
  if (!more)
    await byHost(Promise.reject(new HoldfastError('PROVIDER_FAILED', `The host said that it has ${what} before it had got all of it.`)))
  return total
}

/**
 * Sends one file with its exact length while it is read. A file that turns out to be damaged rejects before its last byte was sent as good: the
 * host must then be told to give up what it has got.
 * @throws What the file rejects with; POINT_DAMAGED: it has another length; of the host what `explain` makes of UNREACHABLE, ACCESS_DENIED, STALLED or
 * PROVIDER_FAILED with `details.status`. An aborted signal rejects with its reason.
 */
export async function uploadFile(upload: Upload, options: CallOptions): Promise<Sent> {
  const { disk, digest, explain } = upload
  const head: UploadHead = { ...upload, method: disk ? 'POST' : 'PUT', headers: headersOf(disk) }
  const hash = digest === undefined ? undefined : createHash(digest)
  const request = await openUpload(head, options).catch(async (error: unknown) => Promise.reject(await explain(error)))
  try {
    const size = await sendBytes(upload, request, hash, options)
    return { size, ...(hash !== undefined && { digest: hash.digest('hex') }) }
  } finally {
    await request[Symbol.asyncDispose]()
  }
}
