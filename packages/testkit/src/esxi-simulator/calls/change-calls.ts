import { reconfigureAutoStart } from '../simulated-auto-start.ts'
import { allSnapshots, type PowerState, type SimulatedMachine } from '../simulated-machine.ts'
import { reconfigure } from '../simulated-reconfiguration.ts'
import { field, type SimulatedFault, typedValues } from '../soap-answer.ts'
import { parameter } from '../soap-request.ts'
import { type Call, type Given, gone, type Handler, type Host, machineOf, nothing, type Refusal, refused, task, textOf } from './call.ts'

type Work = (host: Host, machine: SimulatedMachine, call: Call) => Given | Refusal

/** A call that is about one machine. */
const onMachine =
  (work: Work): Handler =>
  (host, call) => {
    const machine = machineOf(host, call)
    return machine === undefined ? gone(call) : work(host, machine, call)
  }

/** What a machine that waits for an answer does not do. */
const unlessAsked =
  (work: Work): Work =>
  (host, machine, call) => {
    const { question } = machine.conduct
    return question === undefined
      ? work(host, machine, call)
      : refused('QuestionPending', 'The operation cannot proceed, since a question is pending.', field('text', question.text))
  }

const wrongState = (wanted: PowerState, { powerState }: SimulatedMachine): SimulatedFault => ({
  fault: 'InvalidPowerState',
  message: 'The attempted operation cannot be performed in the current state.',
  fields: field('requestedState', wanted) + field('existingState', powerState),
})

const isLeased = (host: Host, machine: SimulatedMachine): boolean => [...host.leases.open].some(({ work }) => work.entity === machine)

const busy: SimulatedFault = {
  fault: 'TaskInProgress',
  message: 'The operation is not allowed while another task is in progress.',
  fields: '<task type="Task">task-of-lease</task>',
}

/** A host in maintenance mode starts nothing. */
const isResting = ({ places, style }: Host): boolean =>
  places.hosts.length > 0 &&
  places.hosts.every((one) => one.properties(typedValues(style))['runtime.inMaintenanceMode']?.content === 'true')

const powerOn: Work = (host, machine) => {
  if (isLeased(host, machine)) return { refused: busy }
  if (isResting(host)) return refused('InvalidState', 'The operation is not allowed in the current state of the host.')
  const { conduct } = machine
  const asked = machine.powerState === 'poweredOn' ? undefined : conduct.asksAtPowerOn
  if (asked !== undefined) {
    conduct.question = asked
    conduct.asksAtPowerOn = undefined
  }
  return task(host, machine, {
    description: 'VirtualMachine.powerOn',
    holds: () => conduct.question !== undefined,
    run() {
      if (machine.powerState === 'poweredOn') return wrongState('poweredOn', machine)
      if (asked !== undefined && conduct.answers.at(-1) === '0')
        return { fault: 'GenericVmConfigFault', message: 'The operation was canceled.', fields: field('reason', 'canceled') }
      machine.powerState = 'poweredOn'
      for (const card of machine.hardware.cards) card.connected = card.startConnected
      return undefined
    },
  })
}

const powerOff: Work = (host, machine) =>
  task(host, machine, {
    description: 'VirtualMachine.powerOff',
    run() {
      if (machine.powerState === 'poweredOff') return wrongState('poweredOff', machine)
      machine.powerState = machine.conduct.startsAgain ? 'poweredOn' : 'poweredOff'
      return undefined
    },
  })

const shutDown: Work = ({ world }, machine) => {
  const { toolsRunning, shutdownMs } = machine.conduct
  if (machine.powerState !== 'poweredOn') return { refused: wrongState('poweredOff', machine) }
  if (!toolsRunning)
    return refused('ToolsUnavailable', 'Cannot complete operation because VMware Tools is not running in this virtual machine.')
  if (shutdownMs === undefined) return nothing
  const off = () => {
    machine.powerState = 'poweredOff'
    world.changed()
  }
  world.clock.sleep(shutdownMs, { signal: new AbortController().signal }).then(off, off)
  return nothing
}

const answer: Work = ({ world }, { conduct }, call) => {
  if (conduct.question?.id !== textOf(call, 'questionId')) return refused('ConcurrentAccess', 'The question has been answered already.')
  const choice = textOf(call, 'answerChoice')
  if (!conduct.question.choices.some(({ key }) => key === choice))
    return refused('InvalidArgument', 'A specified parameter was not correct: answerChoice', field('invalidProperty', 'answerChoice'))
  conduct.answers.push(choice)
  conduct.question = undefined
  world.changed()
  return nothing
}

function takeOut({ world, machines }: Host, machine: SimulatedMachine): void {
  for (const { value } of allSnapshots(machine.snapshots)) {
    const object = world.find('VirtualMachineSnapshot', value)
    if (object !== undefined) world.remove(object)
  }
  machines.splice(machines.indexOf(machine), 1)
  world.remove(machine)
}

const destroy: Work = (host, machine, call) => {
  if (isLeased(host, machine)) return { refused: busy }
  return task(host, machine, {
    description: 'VirtualMachine.destroy',
    run() {
      // Another task may have been quicker.
      if (!host.machines.includes(machine)) return gone(call).refused
      if (machine.powerState !== 'poweredOff') return wrongState('poweredOff', machine)
      takeOut(host, machine)
      return undefined
    },
  })
}

const unregister: Work = (host, machine) => {
  if (machine.powerState !== 'poweredOff') return { refused: wrongState('poweredOff', machine) }
  takeOut(host, machine)
  return nothing
}

/** Power, settings, names and questions of machines. */
export const changeCalls: { readonly [method: string]: Handler } = {
  ReconfigVM_Task: onMachine(
    unlessAsked((host, machine, call) => {
      if (isLeased(host, machine)) return { refused: busy }
      return task(host, machine, {
        description: 'VirtualMachine.reconfigure',
        run: () => reconfigure(host, machine, parameter(call, 'spec')),
      })
    }),
  ),
  Destroy_Task: onMachine(unlessAsked(destroy)),
  UnregisterVM: onMachine(unregister),
  PowerOnVM_Task: onMachine(unlessAsked(powerOn)),
  PowerOffVM_Task: onMachine(powerOff),
  ShutdownGuest: onMachine(unlessAsked(shutDown)),
  AnswerVM: onMachine(answer),
  ReconfigureAutostart: reconfigureAutoStart,
}
