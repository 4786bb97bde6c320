import { statSync } from 'node:fs'
import { HoldfastError } from '@holdfast/core/spec'
import { hideSecrets } from './hide-secrets.ts'

/** Where an error came from: the socket, and what was being done in words that end the sentence "while ...". */
export interface Operation {
  readonly socketPath: string
  readonly what: string
}

const reasons: Readonly<Record<string, (operation: Operation, cause: unknown) => HoldfastError>> = {
  ENOENT: ({ socketPath, what }, cause) =>
    new HoldfastError('UNREACHABLE', `There is no Docker socket at ${socketPath} (while ${what}).`, {
      cause,
      remedy: 'Start the Docker engine, or give its socket: docker({ socketPath }).',
    }),
  EACCES: ({ socketPath, what }, cause) =>
    new HoldfastError('ACCESS_DENIED', `This user may not open the Docker socket ${socketPath} (while ${what}).`, {
      cause,
      remedy: 'Run as root or as a member of the group that owns the socket (usually "docker").',
    }),
  // The kernel refuses a file and a folder with the same words as a socket nobody listens on.
  ECONNREFUSED: ({ socketPath, what }, cause) => {
    const instead = insteadOfSocket(socketPath)
    if (instead !== undefined)
      return new HoldfastError('UNREACHABLE', `${socketPath} is ${instead}, not a socket (while ${what}).`, {
        cause,
        retryable: false,
        remedy: 'Give the socket of the Docker engine: docker({ socketPath }).',
      })
    return new HoldfastError(
      'UNREACHABLE',
      `The Docker engine behind ${socketPath} is not running: the connection was refused (while ${what}).`,
      {
        cause,
        remedy: 'Start the Docker engine (systemctl start docker), then try again.',
      },
    )
  },
}

/** What is at the path when it is no socket. */
function insteadOfSocket(path: string): string | undefined {
  try {
    const found = statSync(path)
    return found.isSocket() ? undefined : found.isDirectory() ? 'a folder' : 'a file'
  } catch {
    return undefined
  }
}

const sameAs: Readonly<Record<string, string>> = { EPERM: 'EACCES', ENOTDIR: 'ENOENT' }

/** Of a connection that could not be made or broke. */
export function connectionError(cause: unknown, operation: Operation): HoldfastError {
  if (HoldfastError.isInstance(cause)) return cause
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const known = reasons[sameAs[code] ?? code]
  if (known) return known(operation, cause)
  if (code.startsWith('HPE_'))
    return new HoldfastError(
      'PROVIDER_FAILED',
      `What answers on ${operation.socketPath} is not a Docker engine (while ${operation.what}).`,
      {
        cause,
        retryable: false,
        remedy: 'Give the socket of a Docker engine: docker({ socketPath }).',
      },
    )
  return new HoldfastError('PROVIDER_FAILED', `The connection to the Docker engine broke while ${operation.what}.`, {
    cause,
    remedy: 'Look whether the engine was restarted; the run is tried again.',
  })
}

/** A failed mount repeats all its options, passwords included; its reason behind them is worth keeping. */
function withoutSecrets(message: string): string {
  const [, start = message, reason = ''] = /^(.*, data: .*)(: [a-z ]+)$/is.exec(message) ?? []
  return hideSecrets(start) + reason
}

/** Of an answer that is not a success. `message` is what the engine says; secrets in it are hidden. */
export function statusError(status: number, message: string, operation: Operation): HoldfastError {
  const text = `The Docker engine answered ${status} while ${operation.what}: ${withoutSecrets(message).slice(0, 500) || 'no reason given'}`
  const details = { status, operation: operation.what }
  if (status === 404) return new HoldfastError('NOT_FOUND', text, { details })
  if (status === 409) return new HoldfastError('IN_USE', text, { details })
  if (status === 401 || status === 403) return new HoldfastError('ACCESS_DENIED', text, { details })
  if (/no space left on device/i.test(message))
    return new HoldfastError('PROVIDER_FAILED', text, {
      details,
      remedy: 'Free space on the disk that holds the data of the Docker engine.',
    })
  if (/failed to mount|error while mounting|no such file or directory|no such device/i.test(message))
    return new HoldfastError('PROVIDER_FAILED', text, {
      details,
      remedy: 'The volume could not be mounted: check that what its options name (device, share, driver) is there on the host.',
    })
  return new HoldfastError('PROVIDER_FAILED', text, { details, retryable: status >= 500 })
}

/** Of an answer that is a success but not what the API promises. */
export function answerError(cause: unknown, operation: Operation): HoldfastError {
  return new HoldfastError('PROVIDER_FAILED', `The Docker engine gave an answer that cannot be read while ${operation.what}.`, { cause })
}

export function abortError(signal: AbortSignal, operation: Operation): HoldfastError {
  if (HoldfastError.isInstance(signal.reason)) return signal.reason
  return new HoldfastError('ABORTED', `Cancelled while ${operation.what}.`, { cause: signal.reason })
}

export function idleError(milliseconds: number, operation: Operation): HoldfastError {
  return new HoldfastError('STALLED', `The Docker engine was silent for ${milliseconds} ms while ${operation.what}.`, {
    remedy:
      'The engine hangs, or another process holds the same helper container (for example a frozen backup: the engine locks a container while its archive is read or written).',
  })
}
