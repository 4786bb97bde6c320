import { type Clock, type Provider, systemClock } from '@holdfast/core/spec'
import { backupMachine } from './backup/backup-machine.ts'
import { checkHost } from './check/check-host.ts'
import { shareConnection } from './connection.ts'
import { type HostOptions, parseHostOptions } from './host-options.ts'
import { listWorkloads } from './inventory/workloads.ts'
import { parseOptions } from './options.ts'
import { createPowerAbility } from './power/power-ability.ts'
import { restoreMachine } from './restore/restore-machine.ts'
import { deliveredRestore } from './restore/undo-restore.ts'
import { createSnapshotAbility } from './snapshots/snapshot-ability.ts'
import { listLeftovers, undoIntent } from './undo.ts'

/** What the provider does not find out for itself. Everything has a default. */
export interface EsxiParts {
  /** Default: that of the system. */
  readonly clock?: Clock
}

/**
 * Protects the machines of an ESXi host or of a vCenter server: one machine becomes one OVF package.
 *
 * A machine is named by its instance UUID, which outlives renames and re-registration. The host is first talked to when something is asked of it; all calls share
 * one session, which is opened again when the host ends it, and ends with the provider.
 *
 * Errors: UNREACHABLE, ACCESS_DENIED (login, certificate, privilege), UNSUPPORTED (licence, machine or host), NOT_FOUND, IN_USE, NAME_TAKEN, DISK_FULL (a datastore),
 * PROVIDER_FAILED, STALLED, TRUNCATED, CHECKSUM_MISMATCH, POINT_DAMAGED, UNDO_FAILED, INVALID_OPTIONS.
 *
 * @example
 * const provider = esxi({ host: 'esxi.example', user: 'backup', password, thumbprint: 'AA:BB:...' })
 */
export function esxi(options: HostOptions, { clock = systemClock }: EsxiParts = {}): Provider {
  const settings = parseHostOptions(options)
  const host = shareConnection(settings, clock)
  return {
    specVersion: 1,
    kind: 'esxi',
    check: (call) => checkHost(host, settings, call),
    async *workloads(call) {
      yield* listWorkloads(await host.open(call), call)
    },
    backup: async (request, sink, run) => backupMachine(await host.open(run), request, sink, run),
    restore: async (request, source, run) => restoreMachine(await host.open(run), request, source, run),
    undo: async (intent, call) => undoIntent(await host.open(call), intent, call),
    delivered: async (run, call) => deliveredRestore(await host.open(call), run, call),
    async *leftovers(call) {
      yield* listLeftovers(await host.open(call), 'esxi', call)
    },
    parseOptions,
    snapshots: createSnapshotAbility(host),
    power: createPowerAbility(host),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  }
}
