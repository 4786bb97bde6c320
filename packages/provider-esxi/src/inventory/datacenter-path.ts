import type { CallOptions } from '@holdfast/core/spec'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { Session } from '../vim25/session.ts'
import type { MoRef } from '../vim25/values.ts'
import { decodeName } from './object-name.ts'

/** Inventory path of the datacenter that an object is in, as `dcPath` wants it: names of folders, joined by `/`, without the root. */
export async function datacenterPath(session: Session, from: MoRef, options: CallOptions): Promise<string> {
  const names: string[] = []
  for (let ref: MoRef | undefined = from; ref !== undefined && ref.value !== session.content.rootFolder.value; ) {
    const { values }: { readonly values: { readonly [path: string]: unknown } } = await retrieveOne(
      session,
      ref,
      ['name', 'parent'],
      options,
    )
    if (ref.type === 'Datacenter' || names.length > 0) names.unshift(decodeName(String(values.name)))
    ref = values.parent as MoRef | undefined
  }
  return names.join('/')
}
