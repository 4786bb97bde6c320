import type { Machine } from '@holdfast/core/spec'
import { guestFamily } from './guest-types.ts'
import type { Ovf } from './ovf-types.ts'

/** The machine of a descriptor as any platform understands it. Keys of its disks are the ids of the disks in the descriptor. */
export function machineOfOvf({ machine }: Ovf): Machine {
  const { name, osType, cpus, coresPerSocket, memoryBytes, firmware, secureBoot, drives, adapters } = machine
  return {
    name,
    cpus,
    ...(coresPerSocket !== undefined && { coresPerSocket }),
    memoryBytes,
    firmware,
    ...(secureBoot && { secureBoot }),
    guest: { family: guestFamily(osType ?? machine.osDescription ?? ''), ...(osType !== undefined && { id: osType }) },
    disks: drives.map(({ diskId, controller }) => ({ key: diskId, bus: controller?.bus ?? 'scsi' })),
    networks: adapters.map(({ network, mac, model }) => ({
      name: network,
      ...(mac !== undefined && { mac }),
      ...(model !== undefined && { model: model.toLowerCase() }),
    })),
  }
}
