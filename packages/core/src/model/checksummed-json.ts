import { createHash } from 'node:crypto'
import type { ErrorCode } from '../spec/error-codes.ts'
import { HoldfastError } from '../spec/errors.ts'
import { showValue } from '../spec/helpers/parse-options.ts'
import type { Json } from '../spec/json.ts'

/**
 * How manifests, flags and `repository.json` are written: indented JSON whose last member is the SHA-256 of every byte before that member's line. The
 * end has a fixed length, so anybody can check a file with `head -c -81 manifest.1.json | sha256sum`, and a change of any bit is found: before
 * the member by the hash, in it by comparison with the only bytes that may stand there.
 */
const before = '  "sha256": "'
const after = '"\n}\n'
const tailBytes = before.length + 64 + after.length

/** Encodes an object that has at least one member and none named `sha256`. What JSON cannot hold throws INTERNAL. */
export function encodeChecksummed(value: { readonly [name: string]: unknown }): Uint8Array {
  if (Object.hasOwn(value, 'sha256'))
    throw new HoldfastError('INTERNAL', 'A file with a checksum cannot have a member of its own named sha256')
  const text = JSON.stringify(value, undefined, 2)
  if (text === '{}') throw new HoldfastError('INTERNAL', 'A file with a checksum has at least one member')
  const body = Buffer.from(`${text.slice(0, -2)},\n`)
  return Uint8Array.from(Buffer.concat([body, Buffer.from(tail(body))]))
}

const tail = (body: Uint8Array): string => `${before}${createHash('sha256').update(body).digest('hex')}${after}`

/** How to name a file and what is wrong with it. */
export interface ChecksummedFile {
  /** For messages: where it lies. */
  readonly path: string
  /** Thrown when it does not verify. */
  readonly code: ErrorCode
}

/**
 * Verifies the checksum over the exact bytes, before anything else is looked at, then parses. Throws `file.code` when it does not verify, and
 * UNSUPPORTED_FORMAT when it does but is of another format version: then it is neither valid nor rubbish.
 */
export function decodeChecksummed(bytes: Uint8Array, file: ChecksummedFile): { readonly [name: string]: Json } {
  const at = bytes.length - tailBytes
  const body = bytes.subarray(0, Math.max(0, at))
  if (at <= 0 || Buffer.compare(bytes.subarray(at), Buffer.from(tail(body))) !== 0) {
    const message = `${file.path} does not verify: its checksum is not that of its ${bytes.length} bytes (damaged, cut short, or edited by hand)`
    throw new HoldfastError(file.code, message, { details: { path: file.path, size: bytes.length } })
  }
  const value = parse(bytes, file)
  if (value.formatVersion !== 1) {
    const message = `${file.path} has format version ${showValue(value.formatVersion)}; this software reads version 1`
    throw new HoldfastError('UNSUPPORTED_FORMAT', message, { details: { path: file.path } })
  }
  const { sha256: _, ...members } = value
  return members
}

function parse(bytes: Uint8Array, file: ChecksummedFile): { readonly [name: string]: Json } {
  try {
    // A checksum that matches ends in the literal above, so what parses is an object.
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw new HoldfastError(file.code, `${file.path} verifies but is not JSON`, { cause, details: { path: file.path } })
  }
}
