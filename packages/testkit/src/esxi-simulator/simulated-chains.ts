import type { SimulatedHardware } from './simulated-devices.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import { allSnapshots, type SimulatedMachine } from './simulated-machine.ts'

const disksOf = ({ hardware, snapshots }: SimulatedMachine): readonly SimulatedDisk[] =>
  [hardware, ...allSnapshots(snapshots).map((one): SimulatedHardware => one.hardware)].flatMap(({ disks }) => disks)

/** After a snapshot a machine writes its disks into files of their own; independent ones it goes on with. */
export function beginDeltas(machine: SimulatedMachine): void {
  for (const disk of machine.hardware.disks) {
    if (disk.mode.startsWith('independent')) continue
    const base = disk.parents.at(-1) ?? disk.fileName
    const taken = new Set(disksOf(machine).flatMap(({ fileName, parents }) => [fileName, ...parents]))
    let number = 1
    const named = () => base.replace(/\.vmdk$/, `-${String(number).padStart(6, '0')}.vmdk`)
    while (taken.has(named())) number += 1
    disk.parents = [disk.fileName, ...disk.parents]
    disk.fileName = named()
  }
}

/** What was written after a snapshot that goes is put into the files that it held. */
export function mergeDeltas(machine: SimulatedMachine, gone: SimulatedHardware): void {
  for (const { fileName } of gone.disks)
    for (const disk of disksOf(machine)) {
      const chain = [disk.fileName, ...disk.parents]
      const at = chain.indexOf(fileName)
      if (at <= 0) continue
      chain.splice(at - 1, 1)
      disk.fileName = chain[0] ?? fileName
      disk.parents = chain.slice(1)
    }
}
