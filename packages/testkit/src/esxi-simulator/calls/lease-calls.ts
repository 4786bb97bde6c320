import type { SimulatedHardware } from '../simulated-devices.ts'
import { exportedDevices } from '../simulated-exports.ts'
import { createLease, type SimulatedLease } from '../simulated-lease.ts'
import { allSnapshots, type SimulatedMachine } from '../simulated-machine.ts'
import { field, reference } from '../soap-answer.ts'
import { textAt } from '../soap-request.ts'
import {
  type Call,
  type Given,
  gone,
  type Handler,
  type Host,
  machineOf,
  nothing,
  type Refusal,
  refused,
  returned,
  type SimulatedSession,
  textOf,
} from './call.ts'

async function openExport(host: Host, session: SimulatedSession, machine: SimulatedMachine, hardware?: SimulatedHardware): Promise<Given> {
  const devices = await exportedDevices(host, machine, hardware ?? machine.hardware, { snapshot: hardware !== undefined })
  return returned(reference('returnval', 'HttpNfcLease', createLease(host, session, { entity: machine, devices }).value))
}

async function exportMachine(host: Host, call: Call, session: SimulatedSession): Promise<Given | Refusal> {
  const machine = machineOf(host, call)
  if (machine === undefined) return gone(call)
  if (machine.powerState !== 'poweredOff')
    return refused(
      'InvalidPowerState',
      'The attempted operation cannot be performed in the current state.',
      field('requestedState', 'poweredOff') + field('existingState', machine.powerState),
    )
  return openExport(host, session, machine)
}

async function exportSnapshot(host: Host, call: Call, session: SimulatedSession): Promise<Given | Refusal> {
  for (const machine of host.machines) {
    const snapshot = allSnapshots(machine.snapshots).find(({ value }) => value === call.self.value)
    if (snapshot !== undefined) return openExport(host, session, machine, snapshot.hardware)
  }
  return gone(call)
}

/** Answers for a lease of the session that asks: others do not know it. */
const ofLease =
  (answer: (lease: SimulatedLease, call: Call, host: Host) => Given | Refusal): Handler =>
  (host, call, session) => {
    const found = host.world.find('HttpNfcLease', call.self.value) as SimulatedLease | undefined
    return found?.session === session ? answer(found, call, host) : gone(call)
  }

/** What is asked of a lease that has failed is refused. */
const whileReady = (answer: (lease: SimulatedLease, call: Call, host: Host) => Given | Refusal): Handler =>
  ofLease((lease, call, host) => {
    if (lease.state === 'ready') return answer(lease, call, host)
    if (lease.fault?.fault === 'Timedout') return { refused: lease.fault }
    return refused('InvalidState', 'The operation is not allowed in the current state.')
  })

function manifestEntry({ work, checksums, files }: SimulatedLease, key: string): string {
  const [device, file] = [work.devices.find((one) => one.key === key), files.get(key)]
  if (device === undefined || file === undefined) return ''
  const checksum = checksums.get(key) === 'sha256' ? field('checksum', file.sha256) + field('checksumType', 'sha256') : ''
  const { capacity, populatedSize } = device
  return [
    '<returnval>',
    field('key', key),
    field('sha1', file.sha1),
    checksum,
    field('size', file.size),
    field('disk', device.disk),
    ...(capacity === undefined ? [] : [field('capacity', capacity)]),
    ...(populatedSize === undefined ? [] : [field('populatedSize', populatedSize)]),
    '</returnval>',
  ].join('')
}

const unknown = (call: Call): Refusal =>
  refused(
    'MethodNotFound',
    `The method ${call.method} is not known.`,
    reference('receiver', call.self.type, call.self.value) + field('method', call.method),
  )

/** Leases of disks that are exported or imported. */
export const leaseCalls: { readonly [method: string]: Handler } = {
  ExportVm: exportMachine,
  ExportSnapshot: exportSnapshot,
  HttpNfcLeaseProgress: whileReady((lease, call) => {
    const percent = Number(textOf(call, 'percent'))
    if (!(percent >= 0 && percent <= 100)) return refused('InvalidArgument', 'A specified parameter was not correct: percent')
    lease.heard(percent)
    return nothing
  }),
  HttpNfcLeaseSetManifestChecksumType: whileReady((lease, call, { leases }) => {
    if (!leases.settings.sha256) return unknown(call)
    for (const pair of call.parameters) lease.checksums.set(textAt(pair, 'key') ?? '', textAt(pair, 'value') ?? '')
    return nothing
  }),
  HttpNfcLeaseGetManifest: whileReady((lease, call, { leases }) =>
    leases.settings.withoutManifest ? unknown(call) : returned([...lease.files.keys()].map((key) => manifestEntry(lease, key)).join('')),
  ),
  HttpNfcLeaseComplete: whileReady((lease) => {
    lease.complete()
    return nothing
  }),
  HttpNfcLeaseAbort: ofLease((lease) => {
    lease.fail()
    return nothing
  }),
}
