import { type CallOptions, codeOf, HoldfastError, nearest } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { nameOf } from '../vim25/host-requests.ts'
import type { MoRef } from '../vim25/values.ts'
import { type FoundMachine, foundMachine } from './found-machine.ts'
import {
  displayNameOf,
  isUnread,
  type MachineIdentity,
  type Read,
  readIdentities,
  readMachine,
  workloadIdOf,
} from './machine-properties.ts'
import { createPlaces } from './places.ts'

/** Names in a message: enough to see what was meant. */
const mostNames = 3

interface Named {
  readonly ref: MoRef<'VirtualMachine'>
  readonly id: string
  readonly name: string
}

const named = (read: Read<MachineIdentity>): Named => ({
  ref: read.ref,
  id: workloadIdOf(read),
  name: displayNameOf(read),
})

function notFound(id: string, machines: readonly Named[], where: string): HoldfastError {
  const namesakes = machines.filter(({ name }) => name === id)
  const close = nearest(
    id,
    machines.map(({ name }) => name),
  )
  const near = namesakes.length > 0 ? namesakes : machines.filter(({ name }) => name === close)
  const hidden = machines.filter((one) => isUnread(one.id))
  const hints = [
    ...near.slice(0, mostNames).map((one) => `"${one.name}" is the name of the machine ${one.id}.`),
    ...(hidden.length === 0
      ? []
      : [
          `${hidden.length} of the machines cannot be read, and may be it: ${hidden
            .slice(0, mostNames)
            .map(({ name }) => name)
            .join(', ')}.`,
        ]),
  ]
  return new HoldfastError('NOT_FOUND', `No machine on ${where} has the id "${id}". ${hints.join(' ')}`.trimEnd(), {
    remedy:
      near.length > 0
        ? 'Use the id, which outlives renames, instead of the name.'
        : 'List the machines of the host with workloads(): the id of each is its instance UUID. It may have been removed, or be on another host.',
    details: { id, unread: hidden.length, near: near.slice(0, mostNames).map((one) => ({ name: one.name, id: one.id })) },
  })
}

/** As hosts write it: in another form it is another id. */
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * The one machine that the index of the host has with this instance UUID. Undefined: none, or several, or the host has no such index; then the list of all tells more.
 *
 * Source: SearchIndex.FindAllByUuid, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.SearchIndex.html#findAllByUuid
 */
export async function findInIndex({ session }: Connection, id: string, options: CallOptions): Promise<MoRef<'VirtualMachine'> | undefined> {
  const { searchIndex } = session.content
  if (searchIndex === undefined || !uuid.test(id)) return undefined
  try {
    const found = await session.call('FindAllByUuid', searchIndex, { uuid: id, vmSearch: true, instanceUuid: true }, options)
    return found.length === 1 ? found[0] : undefined
  } catch (error) {
    if (codeOf(error) === 'UNSUPPORTED') return undefined
    throw error
  }
}

/**
 * The machine with the id of a workload.
 * @throws NOT_FOUND: none has it; `unread` of its details is the number of machines that could not be looked at. PROVIDER_FAILED (not retryable): several have it.
 */
export async function findReference(connection: Connection, id: string, options: CallOptions): Promise<MoRef<'VirtualMachine'>> {
  const indexed = await findInIndex(connection, id, options)
  if (indexed !== undefined) return indexed
  const { session, settings } = connection
  const machines: Named[] = []
  for await (const one of readIdentities(session, options)) machines.push(named(one))
  const [only, ...others] = machines.filter((one) => one.id === id)
  if (only === undefined) throw notFound(id, machines, nameOf(settings))
  if (others.length === 0) return only.ref
  const names = [only, ...others].map(({ name, ref }) => `${name} (${ref.value})`).join(', ')
  throw new HoldfastError('PROVIDER_FAILED', `Several machines on ${nameOf(settings)} have the id "${id}": ${names}.`, {
    retryable: false,
    remedy:
      'One is a copy of the files of the other. Take it out of the inventory, register it again, and answer "I copied it" when it starts.',
    details: { id },
  })
}

/**
 * Everything that a backup needs to know of one machine, as it is now. Reads only.
 * @param id Of the workload: `config.instanceUuid`, where a host has none `config.uuid`.
 * @throws NOT_FOUND, with machines of that or a near name. PROVIDER_FAILED: several machines have the id. UNREACHABLE: the host knows it, but cannot read how it is made.
 */
export async function findMachine(connection: Connection, id: string, options: CallOptions): Promise<FoundMachine> {
  const ref = await findReference(connection, id, options)
  const read = await readMachine(connection.session, ref, options)
  const found = await foundMachine(read, id, createPlaces(connection.session), options)
  if (found !== undefined) return found
  const state = read.properties['runtime.connectionState'] ?? 'unknown'
  const file = read.properties['summary.config.vmPathName']
  throw new HoldfastError(
    'UNREACHABLE',
    `${nameOf(connection.settings)} cannot read the machine ${displayNameOf(read)} (${state})${file === undefined ? '' : `, which is ${file}`}.`,
    { remedy: 'Look whether its datastore is there and whether its host is connected.', details: { id, state } },
  )
}
