import { codeOf, HoldfastError, type RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import type { DeviceUrl } from '../lease/device-url.ts'
import type { Lease, ManifestEntry } from '../lease/lease.ts'
import type { Data } from '../vim25/values.ts'
import type { Part } from './restore-parts.ts'
import { type Sent, uploadFile } from './upload-file.ts'

/** A part and the device of the new machine that it goes to. */
interface Paired {
  readonly part: Part
  readonly url: DeviceUrl
}

const noMatch = (problem: string): HoldfastError =>
  new HoldfastError('PROVIDER_FAILED', `The host asks for other files than it said before: ${problem}.`, { retryable: false })

function refuseForm({ path, compressionMethod, chunkSize }: Data<'OvfFileItem'>): void {
  if (compressionMethod !== undefined && compressionMethod !== '') throw noMatch(`${path} packed with ${compressionMethod}`)
  if (chunkSize !== undefined && chunkSize > 0) throw noMatch(`${path} in chunks`)
}

/**
 * Which part goes where, in the order in which the host wants them. Nothing may be left on either side: a disk without its bytes would be an empty one.
 * @throws PROVIDER_FAILED (not retryable).
 */
export function pairParts(items: readonly Data<'OvfFileItem'>[], urls: readonly DeviceUrl[], parts: readonly Part[]): readonly Paired[] {
  const pairs = items.map((item) => {
    refuseForm(item)
    const url = urls.find(({ importKey }) => importKey === item.deviceId)
    const part = parts.find(({ href }) => href === item.path)
    if (url === undefined) throw noMatch(`nothing takes ${item.path} (${item.deviceId})`)
    if (part === undefined) throw noMatch(`${item.path} is no file of the point`)
    if (part.disk === item.create) throw noMatch(`${item.path} as ${item.create ? 'a new file' : 'a disk'}`)
    return { part, url }
  })
  const spare = urls.find((url) => url.disk && !pairs.some((pair) => pair.url === url))
  if (spare !== undefined) throw noMatch(`there is nothing for the disk ${spare.importKey ?? spare.key}`)
  const unsent = parts.find(({ href, disk }) => disk && !pairs.some(({ part }) => part.href === href))
  if (unsent !== undefined) throw noMatch(`it does not take the disk ${unsent.href}`)
  return pairs
}

/** Older hosts take no NVRAM: the machine starts with that of a new one. */
const isUnwanted = (error: unknown, { disk, href }: Part): boolean => {
  if (disk || !/\.nvram$/i.test(href) || !HoldfastError.isInstance(error)) return false
  const { details } = error
  return typeof details === 'object' && details !== null && 'status' in details && (details.status === 404 || details.status === 405)
}

const digestOf = (entry: ManifestEntry, kind: 'sha1' | 'sha256'): string | undefined => {
  if (kind === 'sha1') return entry.sha1 || undefined
  return /^sha-?256$/i.test(entry.checksumType ?? '') ? entry.checksum : undefined
}

/** What was sent to a device. */
interface SentPart extends Paired {
  readonly sent: Sent
}

/** A sum decides; where the host gives none, the size does. */
function differenceOf({ part, sent }: SentPart, entry: ManifestEntry, kind: 'sha1' | 'sha256'): string | undefined {
  const digest = digestOf(entry, kind)?.toLowerCase()
  if (digest === undefined) return entry.size === sent.size ? undefined : `${entry.size} bytes instead of ${sent.size}`
  return digest === (kind === 'sha256' ? (part.sha256 ?? sent.digest) : sent.digest) ? undefined : `another ${kind}`
}

async function compareSums(sent: readonly SentPart[], lease: Lease, kind: 'sha1' | 'sha256', run: RunContext): Promise<void> {
  const entries = (await lease.manifest({ signal: run.signal })) ?? []
  const untold: string[] = []
  for (const one of sent) {
    const { href } = one.part
    const entry = entries.find(({ key }) => key === one.url.key)
    const difference = entry && differenceOf(one, entry, kind)
    if (entry === undefined) untold.push(href)
    if (difference === undefined) continue
    throw new HoldfastError('CHECKSUM_MISMATCH', `The host has got ${href} otherwise than it was sent: ${difference}.`, {
      retryable: true,
      remedy: 'It is tried again. If it goes on, look at the network and the memory of the host.',
      details: { file: href },
    })
  }
  if (untold.length === 0) return
  const names = untold.join(', ')
  run.note('info', 'NO_SUMS_OF_HOST', `This host tells no sums of ${names}, so what it has got was not compared with what was sent.`)
}

/** The better reason for whatever failed while the lease was held; what the run itself was ended by stays as it is. */
async function explained(error: unknown, lease: Lease, run: RunContext): Promise<unknown> {
  return run.signal.aborted ? error : lease.whyFailed(error, { signal: run.signal })
}

async function sendPart(
  { part, url }: Paired,
  connection: Connection,
  lease: Lease,
  digest: 'sha1' | 'sha256',
  onSent: (bytes: number) => void,
  run: RunContext,
): Promise<Sent> {
  const { clock, settings } = connection
  const known = digest === 'sha256' && part.sha256 !== undefined
  return uploadFile(
    {
      url,
      size: part.size,
      what: part.href,
      disk: part.disk,
      clock,
      stallMs: settings.stallMs,
      ...(!known && { digest }),
      open: (options) => part.open(options),
      onSent,
      explain: (error) => explained(error, lease, run),
    },
    { signal: AbortSignal.any([run.signal, lease.signal]) },
  )
}

/** It is documented for leases of exports: a host that refuses it for an import has SHA-1 all the same. */
async function asksForSha256(lease: Lease, { signal }: RunContext): Promise<boolean> {
  try {
    return await lease.askForSha256({ signal })
  } catch (error) {
    if (signal.aborted || codeOf(error) === 'UNREACHABLE') throw error
    return false
  }
}

/**
 * Sends all files of a package to the machine that is being made, one after the other, and compares what the host says of them.
 * @throws What a part rejects with (CHECKSUM_MISMATCH); what the lease was ended for (DISK_FULL, ...); UNREACHABLE, STALLED, PROVIDER_FAILED. The caller gives up the lease.
 */
export async function sendParts(pairs: readonly Paired[], connection: Connection, lease: Lease, run: RunContext): Promise<void> {
  const digest = (await asksForSha256(lease, run)) ? 'sha256' : 'sha1'
  const total = pairs.reduce((sum, { part }) => sum + part.size, 0)
  const sent: SentPart[] = []
  let before = 0
  for (const pair of pairs) {
    const { part } = pair
    const onSent = (bytes: number) => {
      const fraction = total === 0 ? 0 : (before + bytes) / total
      lease.progress(fraction)
      run.step(`sending ${part.href}`, fraction)
    }
    try {
      sent.push({ ...pair, sent: await sendPart(pair, connection, lease, digest, onSent, run) })
    } catch (error) {
      if (!isUnwanted(error, part)) throw lease.signal.aborted ? await explained(error, lease, run) : error
      run.note(
        'warning',
        'NVRAM_NOT_RESTORED',
        `This host takes no NVRAM (${(error as Error).message}). The machine starts with the settings of a new one.`,
      )
    }
    before += part.size
  }
  await compareSums(sent, lease, digest, run)
}
