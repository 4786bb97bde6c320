import { allSnapshots, dropSnapshot, takeSnapshot } from '../simulated-machine.ts'
import { type Call, type Given, gone, type Handler, type Host, machineOf, type Refusal, task, textOf } from './call.ts'

function createSnapshot(host: Host, call: Call): Given | Refusal {
  const machine = machineOf(host, call)
  if (machine === undefined) return gone(call)
  return task(host, machine, {
    steps: 3,
    run() {
      const value = host.world.next('snapshot')
      takeSnapshot(machine, {
        value,
        name: textOf(call, 'name'),
        description: textOf(call, 'description'),
        created: '2026-01-01T00:00:00Z',
        quiesced: textOf(call, 'quiesce') === 'true' && machine.powerState === 'poweredOn',
        powerState: textOf(call, 'memory') === 'true' ? machine.powerState : 'poweredOff',
        children: [],
      })
      return { type: 'VirtualMachineSnapshot', value }
    },
  })
}

function removeSnapshot(host: Host, call: Call): Given | Refusal {
  const machine = host.machines.find(({ snapshots }) => allSnapshots(snapshots).some(({ value }) => value === call.self.value))
  if (machine === undefined) return gone(call)
  return task(host, machine, { run: () => void dropSnapshot(machine, call.self.value) })
}

export const snapshotCalls: { readonly [method: string]: Handler } = {
  CreateSnapshot_Task: createSnapshot,
  RemoveSnapshot_Task: removeSnapshot,
}
