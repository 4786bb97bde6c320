import { HoldfastError, type Json } from '@holdfast/core/spec'
import { parseBackupOptions } from './backup/backup-options.ts'
import { parseRestoreOptions } from './restore/restore-options.ts'

/**
 * Options of a use with all defaults.
 * @throws INVALID_OPTIONS with the path of the mistake. UNSUPPORTED: there are no probes of machines.
 */
export function parseOptions(use: 'backup' | 'restore' | 'probe', input: unknown): Json {
  if (use === 'backup') return parseBackupOptions(input)
  // What is optional and was not written is not there, so that it is JSON.
  if (use === 'restore') return JSON.parse(JSON.stringify(parseRestoreOptions(input)))
  throw new HoldfastError('UNSUPPORTED', 'Machines of ESXi cannot be probed yet.', { remedy: 'Leave out the probe.' })
}
