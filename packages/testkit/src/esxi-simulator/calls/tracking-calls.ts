import { allSnapshots } from '../simulated-machine.ts'
import { areasOf } from '../simulated-tracking.ts'
import { element, field } from '../soap-answer.ts'
import { type Call, type Given, gone, type Handler, type Host, machineOf, type Refusal, refused, returned, textOf } from './call.ts'

const order = ['snapshot', 'deviceKey', 'startOffset', 'changeId']
const argument = (name: string): Refusal =>
  refused('InvalidArgument', `A specified parameter was not correct: ${name}`, field('invalidProperty', name))

const isInOrder = ({ parameters }: Call): boolean => {
  const places = parameters.map(({ name }) => order.indexOf(name))
  return places.every((place, at) => place >= 0 && place > (places[at - 1] ?? -1))
}

/**
 * One span of a disk at a time, from `startOffset` on.
 *
 * Source: https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.VirtualMachine.html, QueryChangedDiskAreas: without a snapshot it works only for a
 * machine that is off.
 */
async function queryChangedAreas(host: Host, call: Call): Promise<Given | Refusal> {
  const machine = machineOf(host, call)
  if (machine === undefined) return gone(call)
  if (!isInOrder(call)) return refused('InvalidRequest', 'The parameters are not those of the schema, or not in its order.')
  const value = textOf(call, 'snapshot')
  const snapshot = allSnapshots(machine.snapshots).find((one) => one.value === value)
  if (value !== '' && snapshot === undefined) return argument('snapshot')
  if (value === '' && machine.powerState !== 'poweredOff')
    return refused('InvalidState', 'The operation is not allowed in the current state.')
  const disk = (snapshot?.hardware ?? machine.hardware).disks.find(({ key }) => String(key) === textOf(call, 'deviceKey'))
  if (disk === undefined) return argument('deviceKey')
  if (disk.changeId === undefined) return refused('FileFault', `Error caused by file ${disk.fileName}`, field('file', disk.fileName))
  const { size } = disk.content
  const start = Number(textOf(call, 'startOffset'))
  if (!(start >= 0 && start < size)) return argument('startOffset')
  const span = { start, length: Math.min(disk.tracking.spanBytes, size - start) }
  const areas = await areasOf(disk.tracking, disk.content, textOf(call, 'changeId'), span)
  if (areas === undefined) return argument('changeId')
  const changed = areas.map((area) =>
    element('changedArea', { attributes: '', content: field('start', area.start) + field('length', area.length) }),
  )
  return returned(
    element('returnval', { attributes: '', content: field('startOffset', start) + field('length', span.length) + changed.join('') }),
  )
}

/** What has changed on disks. */
export const trackingCalls: { readonly [method: string]: Handler } = { QueryChangedDiskAreas: queryChangedAreas }
