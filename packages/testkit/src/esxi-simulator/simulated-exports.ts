import type { MappedBlocks } from '@holdfast/core/spec'
import { encodeVmdk } from '@holdfast/disk-image'
import type { Host } from './calls/call.ts'
import type { SimulatedHardware } from './simulated-devices.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import type { LeaseDevice } from './simulated-lease.ts'
import type { SimulatedMachine } from './simulated-machine.ts'
import type { SimulatedWorld } from './simulated-world.ts'
import { field } from './soap-answer.ts'

const never = new AbortController().signal

async function dataBytes(blocks: MappedBlocks): Promise<number> {
  let bytes = 0
  for await (const { kind, length } of blocks.extents({ signal: never })) bytes += kind === 'data' ? length : 0
  return bytes
}

/** A disk as a streamOptimized VMDK, packed while it is sent. */
async function diskDevice(vm: string, disk: SimulatedDisk, targetId: string): Promise<LeaseDevice> {
  const { content, slot } = disk
  const blocks = content.open()
  const populatedSize = await dataBytes(blocks).finally(() => blocks[Symbol.asyncDispose]())
  return {
    key: `/${vm}/${slot}`,
    targetId,
    disk: true,
    capacity: content.size,
    populatedSize,
    async body(options) {
      const source = content.open()
      const encoded = await encodeVmdk(source, { ...options, form: 'deflated' })
      async function* bytes() {
        try {
          yield* encoded.open(options)
        } finally {
          await source[Symbol.asyncDispose]()
        }
      }
      return bytes()
    },
  }
}

const fileDevice = (key: string, targetId: string, content: Uint8Array): LeaseDevice => ({
  key,
  targetId,
  disk: false,
  fileSize: content.length,
  async body() {
    return (async function* () {
      yield content
    })()
  },
})

/** What a host hands out of a machine: its disks, what the firmware remembers, and the images in its drives. A snapshot does not hold independent disks. */
export async function exportedDevices(
  { leases }: Host,
  machine: SimulatedMachine,
  { disks, cdroms }: SimulatedHardware,
  { snapshot }: { readonly snapshot: boolean },
): Promise<readonly LeaseDevice[]> {
  const held = disks.filter(({ mode }) => !snapshot || !mode.startsWith('independent'))
  const images = cdroms.filter(({ iso }) => iso !== undefined)
  const devices = [
    ...(await Promise.all(held.map((disk, index) => diskDevice(machine.value, disk, `disk-${index}.vmdk`)))),
    fileDevice(`/${machine.value}/nvram`, `${machine.name}.nvram`, machine.settings.nvram),
    ...images.map(({ content }, index) => fileDevice(`/${machine.value}/VirtualIDEController1:${index}`, `file-${index}.iso`, content)),
  ]
  return devices.map((device) => ({ ...device, targetId: leases.settings.targetIdOf(device, device.targetId) }))
}

/** What exports can be told to put into descriptors. */
const exportOptions = ['mac', 'uuid', 'extraconfig', 'nodevicesubtypes']

/** The manager of descriptors, with what it can do. */
export function addOvfManager(world: SimulatedWorld): void {
  const options = exportOptions.map((one) => `<OvfOptionInfo>${field('option', one)}<description/></OvfOptionInfo>`).join('')
  world.add({
    type: 'OvfManager',
    value: 'ovf',
    properties: (values) => ({ ovfExportOption: values.data('ArrayOfOvfOptionInfo', options) }),
  })
}
