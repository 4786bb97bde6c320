import { type CallOptions, HoldfastError } from '@holdfast/core/spec'
import { parseBackupOptions } from '../backup/backup-options.ts'
import { openExport } from '../backup/open-export.ts'
import type { Connection } from '../connection.ts'
import { findMachine } from '../inventory/find-machine.ts'
import type { Lease } from '../lease/lease.ts'
import { downloadDevice } from '../transfer/download-device.ts'
import { asTrial } from './trial-run.ts'

/** What an export that was opened and given up showed. */
export interface TrialExport {
  /** `off`: of the machine itself. Anything else: of a snapshot that was made for it, and removed. */
  readonly consistency: string
  /** The host took the order to make SHA-256 sums. */
  readonly sha256: boolean
  readonly totalBytes: number
  /** Host names are not in it. `start`: the first four bytes, in hexadecimal. */
  readonly devices: readonly {
    readonly disk: boolean
    readonly ownHost: boolean
    readonly targetId?: string
    readonly start?: string
    readonly fileSize?: number
  }[]
}

async function startOf(connection: Connection, { urls }: Lease, index: number, options: CallOptions): Promise<string | undefined> {
  const url = urls[index]
  if (url === undefined) return undefined
  const stream = await downloadDevice(connection, { url, what: 'a device', ...options })
  try {
    for await (const chunk of stream) return Buffer.from(chunk.subarray(0, 4)).toString('hex')
    return ''
  } finally {
    await stream[Symbol.asyncDispose]()
  }
}

/**
 * Opens an export of a machine, reads the beginning of its first disk, and gives it up. Of a machine that is not off a snapshot is made, and removed at the end; should this
 * process die in between, the snapshot stays, says what it is, and is to be removed by hand.
 * @throws NOT_FOUND, UNSUPPORTED, IN_USE: as a backup of the machine would.
 */
export async function trialExport(connection: Connection, id: string, options: CallOptions): Promise<TrialExport> {
  const machine = await findMachine(connection, id, options)
  const obstacle = machine.obstacles.find(({ stops }) => stops)
  if (obstacle !== undefined) throw new HoldfastError('UNSUPPORTED', `The machine cannot be backed up: ${obstacle.message}`)
  return asTrial(connection, options, async (run) => {
    const { lease, consistency } = await openExport(connection, machine, parseBackupOptions({ quiesce: 'never' }), run)
    try {
      const sha256 = await lease.askForSha256(options)
      const first = lease.urls.findIndex(({ disk }) => disk)
      const start = await startOf(connection, lease, first, options)
      const devices = lease.urls.map(({ disk, host, targetId, fileSize }, index) => ({
        disk,
        ownHost: host.host === connection.settings.host,
        ...(targetId !== undefined && { targetId }),
        ...(fileSize !== undefined && { fileSize }),
        ...(index === first && start !== undefined && { start }),
      }))
      return { consistency, sha256, totalBytes: lease.totalBytes, devices }
    } finally {
      await lease[Symbol.asyncDispose]()
    }
  })
}
