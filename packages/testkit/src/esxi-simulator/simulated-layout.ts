import type { SimulatedHardware } from './simulated-devices.ts'
import { extentOf, isObject } from './simulated-files.ts'
import type { SimulatedPlaces } from './simulated-places.ts'
import { element, field, type TypedValues, type XmlValue } from './soap-answer.ts'

interface LaidFile {
  readonly name: string
  readonly type: string
  readonly size: number
}

const plain = (content: string): XmlValue => ({ attributes: '', content })

/** Which files a machine is made of. The files of a disk come base first. */
export function layoutProperties(
  name: string,
  nvramBytes: number,
  hardware: SimulatedHardware,
  places: SimulatedPlaces,
  values: TypedValues,
) {
  const home = hardware.disks[0]?.datastore ?? places.datastores[0]?.name ?? 'datastore1'
  const files: LaidFile[] = [
    { name: `[${home}] ${name}/${name}.vmx`, type: 'config', size: 100 },
    { name: `[${home}] ${name}/${name}.nvram`, type: 'nvram', size: nvramBytes },
  ]
  const lay = (file: LaidFile): string => field('fileKey', files.push(file) - 1)
  const disks = hardware.disks.map((disk) => {
    const objects = isObject(disk, places)
    const chain = [disk.fileName, ...disk.parents].map((fileName, index, all) => {
      const extent = extentOf({ ...disk, fileName, parents: all.slice(index + 1) }, objects)
      const descriptor = lay({ name: fileName, type: 'diskDescriptor', size: 500 })
      const data = extent === undefined ? '' : lay({ name: extent, type: 'diskExtent', size: disk.content.size })
      return element('chain', plain(descriptor + data))
    })
    return element('VirtualMachineFileLayoutExDiskLayout', plain(field('key', disk.key) + chain.toReversed().join('')))
  })
  const laid = files.map(({ name: file, type, size }, key) =>
    element(
      'VirtualMachineFileLayoutExFileInfo',
      plain(field('key', key) + field('name', file) + field('type', type) + field('size', size)),
    ),
  )
  return {
    'layoutEx.file': values.data('ArrayOfVirtualMachineFileLayoutExFileInfo', laid.join('')),
    'layoutEx.disk': values.data('ArrayOfVirtualMachineFileLayoutExDiskLayout', disks.join('')),
  }
}
