import { type CallOptions, HoldfastError, nearest } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import type { MoRef } from '../vim25/values.ts'
import { type FoundMachine, foundMachine } from './found-machine.ts'
import { isUnread, type MachineIdentity, type Read, readIdentities, readMachine, workloadIdOf } from './machine-properties.ts'
import { decodeName } from './object-name.ts'
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
  name: decodeName(read.properties.name ?? read.ref.value),
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
    remedy: near.length > 0 ? 'Use the id, which outlives renames, instead of the name.' : 'List the machines of the host.',
    details: { id, unread: hidden.length, near: near.slice(0, mostNames).map((one) => ({ name: one.name, id: one.id })) },
  })
}

/**
 * The machine with the id of a workload.
 * @throws NOT_FOUND: none has it; `unread` of its details is the number of machines that could not be looked at. PROVIDER_FAILED (not retryable): several have it.
 */
export async function findReference({ session, settings }: Connection, id: string, options: CallOptions): Promise<MoRef<'VirtualMachine'>> {
  const machines: Named[] = []
  for await (const one of readIdentities(session, options)) machines.push(named(one))
  const [only, ...others] = machines.filter((one) => one.id === id)
  if (only === undefined) throw notFound(id, machines, settings.host)
  if (others.length === 0) return only.ref
  const names = [only, ...others].map(({ name, ref }) => `${name} (${ref.value})`).join(', ')
  throw new HoldfastError('PROVIDER_FAILED', `Several machines on ${settings.host} have the id "${id}": ${names}.`, {
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
    `${connection.settings.host} cannot read the machine ${decodeName(read.properties.name ?? ref.value)} (${state})${file === undefined ? '' : `, which is ${file}`}.`,
    { remedy: 'Look whether its datastore is there and whether its host is connected.', details: { id, state } },
  )
}
