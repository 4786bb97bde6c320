import { HoldfastError } from '@holdfast/core/spec'
import { type HostAddress, textOf } from '../vim25/host-requests.ts'
import { type DatastorePath, textOfPath } from './datastore-path.ts'

/** A file that is read, for errors. */
export interface ReadFile {
  readonly file: DatastorePath
  /** `Hard disk 1 of web`. */
  readonly what: string
}

const locked = new Set([409, 423, 500])

/** The host answers with something else than the range that was asked for. */
export function refusedRead(status: number, { file, what }: ReadFile, address: HostAddress): HoldfastError {
  const details = { status, file: textOfPath(file) }
  const said = `${textOf(address)} answered the request for ${textOfPath(file)} (${what}) with HTTP ${status}`
  if (status === 200)
    return new HoldfastError('UNSUPPORTED', `${said}: it sends the whole file where a part of it was asked for.`, {
      remedy: 'Back the machine up with the mode "ovf".',
      details,
    })
  if (locked.has(status))
    return new HoldfastError('IN_USE', `${said}: mostly that means that a running machine has the file locked.`, {
      remedy:
        'If the machine was switched on meanwhile, run it again: it is then read from a snapshot. If it stays, look for another machine that uses the disk, or use the mode "ovf".',
      details,
    })
  if (status === 401 || status === 403)
    return new HoldfastError('ACCESS_DENIED', `${said}.`, {
      remedy: 'Give the account the privileges Datastore.Browse and Datastore.FileManagement on the datastore.',
      details,
    })
  return new HoldfastError('PROVIDER_FAILED', `${said}.`, { retryable: true, details })
}

/** What came is not what was asked for. */
export const wrongAnswer = ({ file, what }: ReadFile, address: HostAddress, why: string): HoldfastError =>
  new HoldfastError(
    'PROVIDER_FAILED',
    `${textOf(address)} sent something else of ${textOfPath(file)} (${what}) than was asked for: ${why}.`,
    {
      retryable: false,
      remedy: 'Back the machine up with the mode "ovf".',
      details: { file: textOfPath(file) },
    },
  )

export const tooLarge = ({ file, what }: ReadFile, most: number): HoldfastError =>
  new HoldfastError('UNSUPPORTED', `${textOfPath(file)} (${what}) has more than the ${most} bytes that such a file may have.`, {
    remedy: 'Back the machine up with the mode "ovf".',
    details: { file: textOfPath(file), most },
  })

/** The host ended its answer as if it were whole. */
export const endedEarly = ({ file, what }: ReadFile, address: HostAddress): HoldfastError =>
  new HoldfastError(
    'PROVIDER_FAILED',
    `${textOf(address)} always ends its answers too early when it sends ${textOfPath(file)} (${what}).`,
    {
      retryable: true,
      details: { file: textOfPath(file) },
    },
  )
