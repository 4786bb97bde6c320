import type { Call, Given, Host, Refusal } from './calls/call.ts'
import { nothing, refused } from './calls/call.ts'
import type { SimulatedMachine } from './simulated-machine.ts'
import { autoStartManager } from './simulated-places.ts'
import { element, field, reference } from './soap-answer.ts'
import { parameter, type RequestElement, textAt } from './soap-request.ts'

/** The order in which fields of it must come. */
const powerFields = ['key', 'startOrder', 'startDelay', 'waitForHeartbeat', 'startAction', 'stopDelay', 'stopAction']

const powerInfo = ({ value }: SimulatedMachine): string =>
  element('powerInfo', {
    attributes: '',
    content: [
      reference('key', 'VirtualMachine', value),
      field('startOrder', -1),
      field('startDelay', -1),
      field('waitForHeartbeat', 'systemDefault'),
      field('startAction', 'powerOn'),
      field('stopDelay', -1),
      field('stopAction', 'systemDefault'),
    ].join(''),
  })

/** What a host starts by itself: machines whose `conduct.autoStart` is set. */
export function addAutoStart({ world, machines }: Host): void {
  world.add({
    type: 'HostAutoStartManager',
    value: autoStartManager,
    properties(values) {
      const listed = machines.filter(({ conduct }) => conduct.autoStart).map(powerInfo)
      return { config: values.data('HostAutoStartManagerConfig', `<defaults>${field('enabled', true)}</defaults>${listed.join('')}`) }
    },
  })
}

function change(host: Host, info: RequestElement): Refusal | undefined {
  const names = info.children.map(({ name }) => name)
  if (names.join() !== powerFields.join()) return refused('InvalidRequest', `powerInfo has the fields ${names.join(', ')}`)
  const action = textAt(info, 'startAction')?.toLowerCase()
  if (action === 'none' && textAt(info, 'startOrder') !== '-1')
    return refused('InvalidArgument', 'startOrder must be -1 when startAction is none.', field('invalidProperty', 'startOrder'))
  const machine = host.machines.find(({ value }) => value === textAt(info, 'key'))
  if (machine !== undefined && !machine.conduct.ignoresChanges) machine.conduct.autoStart = action === 'poweron'
  return undefined
}

/** `ReconfigureAutostart`. It is no error to take a machine out that is not in. */
export function reconfigureAutoStart(host: Host, call: Call): Given | Refusal {
  for (const info of (parameter(call, 'spec')?.children ?? []).filter(({ name }) => name === 'powerInfo')) {
    const refusal = change(host, info)
    if (refusal !== undefined) return refusal
  }
  host.world.changed()
  return nothing
}
