import { type CallOptions, codeOf, type Intent, type Provider, type Snapshot, type SnapshotAbility } from '@holdfast/core/spec'
import { sameAttempt } from '../memory-platform/content.ts'
import type { MachineHost } from '../memory-platform/machine-host.ts'
import type { KeptSnapshot } from '../memory-platform/machine-snapshots.ts'
import { member } from './parse-options.ts'

const kind = 'remove-kept-snapshot'

/** Snapshots that people keep, and how one is undone that its run did not come to keep. */
export function withSnapshots(host: MachineHost, provider: Provider): Provider {
  return {
    ...provider,
    snapshots: machineSnapshots(host),
    undo: (intent, options) => (intent.kind === kind ? undo(host, intent, options) : provider.undo(intent, options)),
  }
}

function machineSnapshots(host: MachineHost): SnapshotAbility {
  return {
    async create(workload, request, run) {
      await host.keptSnapshots(workload, run)
      const intent = await run.intend(kind, { machine: workload })
      run.step(`taking snapshot ${request.name}`)
      const made = await host.keepSnapshot(workload, request, run.mark, run)
      intent.keep()
      return shown(made)
    },
    list: async (workload, options) => (await host.keptSnapshots(workload, options)).map(shown),
    revert: (workload, snapshot, options) => host.revertTo(workload, snapshot, options),
    remove: (workload, snapshot, options) => gone(host.dropSnapshot(workload, snapshot, options)),
  }
}

const shown = ({ disks: _, ...snapshot }: KeptSnapshot): Snapshot => snapshot

/** Already gone is success. */
async function gone(removal: Promise<void>): Promise<void> {
  await removal.catch((error: unknown) => {
    if (codeOf(error) !== 'NOT_FOUND') throw error
  })
}

async function undo(host: MachineHost, { data, mark }: Intent, options: CallOptions): Promise<'undone'> {
  const machine = (await host.list(options)).find(({ id }) => id === member(data, 'machine'))
  for (const snapshot of machine?.kept ?? [])
    if (machine && sameAttempt(snapshot.mark, mark)) await gone(host.dropSnapshot(machine.id, snapshot.id, options))
  return 'undone'
}
