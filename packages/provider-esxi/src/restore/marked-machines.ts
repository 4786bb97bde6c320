import type { CallOptions, Mark } from '@holdfast/core/spec'
import { idOf, type MachineIdentity } from '../inventory/machine-properties.ts'
import { decodeName } from '../inventory/object-name.ts'
import { type Marked, readMark, type Taken } from '../mark.ts'
import { retrieveAll } from '../vim25/retrieve.ts'
import type { Session } from '../vim25/session.ts'
import type { MoRef } from '../vim25/values.ts'

/** A machine of a host with what its annotation says of who made it. */
export interface AnnotatedMachine {
  readonly ref: MoRef<'VirtualMachine'>
  readonly name: string
  /** Of the workload; undefined while the host cannot read it. */
  readonly id: string | undefined
  /** Undefined: the host cannot read it now. */
  readonly annotation: string | undefined
  readonly marked: Marked | undefined
  readonly power: string | undefined
}

const paths = ['name', 'config.annotation', 'config.instanceUuid', 'config.uuid', 'runtime.powerState']

/** All machines, with their marks. */
export async function* annotatedMachines(session: Session, options: CallOptions): AsyncGenerator<AnnotatedMachine> {
  for await (const { ref, values } of retrieveAll(session, 'VirtualMachine', paths, options)) {
    const annotation = typeof values['config.annotation'] === 'string' ? values['config.annotation'] : undefined
    yield {
      ref,
      name: decodeName(String(values.name ?? ref.value)),
      id: idOf(values as MachineIdentity),
      annotation,
      marked: readMark(annotation),
      power: typeof values['runtime.powerState'] === 'string' ? values['runtime.powerState'] : undefined,
    }
  }
}

/** Whether a machine was restored by a run, whichever attempt it was. */
export const isOfRun = (marked: Marked | undefined, { system, run }: Omit<Mark, 'attempt'>): marked is Marked =>
  marked !== undefined && marked.mark.system === system && marked.mark.run === run

/** Machines that were or are being restored; marks of snapshots that have got into an annotation are none. */
export const isUnfinished = (marked: Marked | undefined): boolean => marked?.purpose === 'machine-unfinished'
export const isDelivered = (marked: Marked | undefined): boolean => marked?.purpose === 'machine' || marked?.purpose === 'replica'

/** A machine that is whole, and on its way into the place of an older replica: neither to be removed nor delivered. */
export type SwappingMachine = AnnotatedMachine & { readonly marked: Marked & { readonly takes: Taken } }

/** A copy that somebody has made of one carries the same line; it is a machine of theirs. */
export function isSwapping(one: AnnotatedMachine): one is SwappingMachine {
  if (one.marked?.purpose !== 'replica-swap' || one.marked.takes === undefined) return false
  const { id, by } = one.marked.takes
  return one.ref.value === by.ref || one.id === by.id || one.id === id
}
