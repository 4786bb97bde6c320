import type { Machine } from '@holdfast/core/spec'
import { type Device, isOf } from './devices.ts'
import type { FoundDisk } from './disks.ts'
import type { MachineProperties } from './machine-properties.ts'
import type { FoundNetwork } from './network-cards.ts'
import { decodeName } from './object-name.ts'

/** Parts of the names that hosts have for guests of the family. Source: vim.vm.GuestOsDescriptor.GuestOsIdentifier. */
const linux =
  /linux|ubuntu|debian|rhel|redhat|centos|fedora|sles|suse|oracle|photon|coreos|rocky|alma|amazon|asianux|mandr|turbo|crx|nld|oes|sjds|genericlinux/i

const family = (guestId: string): Machine['guest']['family'] =>
  /^(win|dos)/i.test(guestId) ? 'windows' : linux.test(guestId) ? 'linux' : 'other'

/** Disks that the firmware is told to try come first, in that order; the others follow as the host has them. */
function inBootOrder(disks: readonly FoundDisk[], properties: MachineProperties): readonly FoundDisk[] {
  const keys = (properties['config.bootOptions']?.bootOrder ?? []).flatMap((one) =>
    isOf(one, 'VirtualMachineBootOptionsBootableDiskDevice') ? [one.deviceKey] : [],
  )
  const rank = ({ deviceKey }: FoundDisk) => (keys.includes(deviceKey) ? keys.indexOf(deviceKey) : keys.length)
  return [...disks].sort((left, right) => rank(left) - rank(right))
}

/** A machine as any platform understands it. Undefined: the host does not know how it is made. */
export function machineOf(
  properties: MachineProperties,
  disks: readonly FoundDisk[],
  networks: readonly FoundNetwork[],
): Machine | undefined {
  const devices: readonly Device[] = properties['config.hardware.device'] ?? []
  const [cpus, memory] = [properties['config.hardware.numCPU'], properties['config.hardware.memoryMB']]
  if (cpus === undefined || memory === undefined) return undefined
  const coresPerSocket = properties['config.hardware.numCoresPerSocket']
  const guestId = properties['config.guestId']
  return {
    name: decodeName(properties.name ?? ''),
    cpus,
    // 0 stands for "as the host likes".
    ...(coresPerSocket !== undefined && coresPerSocket > 0 && { coresPerSocket }),
    memoryBytes: memory * 1024 * 1024,
    firmware: properties['config.firmware'] === 'efi' ? 'efi' : 'bios',
    ...(properties['config.bootOptions']?.efiSecureBootEnabled === true && { secureBoot: true }),
    ...(devices.some((device) => isOf(device, 'VirtualTPM')) && { tpm: true }),
    guest: { family: family(guestId ?? ''), ...(guestId !== undefined && { id: guestId }) },
    disks: inBootOrder(disks, properties).map(({ key, bus }) => ({ key, bus })),
    networks: networks.map(({ name, mac, model }) => ({ name, model, ...(mac !== undefined && { mac }) })),
  }
}
