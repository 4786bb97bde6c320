import { type CallOptions, codeOf, HoldfastError } from '@holdfast/core/spec'
import { isData } from '../vim25/decode.ts'
import { type Called, faultError } from '../vim25/faults.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { Session } from '../vim25/session.ts'
import type { Data, MoRef } from '../vim25/values.ts'

/** What a host says of a lease that has failed, as an error. */
export function leaseFault(fault: Data<'LocalizedMethodFault'> | undefined, called: Called): HoldfastError {
  if (fault === undefined)
    return new HoldfastError('PROVIDER_FAILED', `The host has ended the lease of ${called.name ?? called.self.value} without a reason.`)
  if (isData(fault.fault, 'Timedout'))
    return lostLease(called, `the host heard nothing of it for too long (${fault.localizedMessage ?? 'Timedout'})`)
  const { fault: inner, localizedMessage = 'no reason given' } = fault
  return faultError({ message: localizedMessage, type: inner.$type ?? 'MethodFault', fault: inner }, called)
}

/** A lease that is gone cannot be taken up again: whoever held it begins anew with another one. */
export function lostLease({ self, name }: Called, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('PROVIDER_FAILED', `The lease of ${name ?? self.value} is lost: ${why}.`, {
    ...(cause !== undefined && { cause }),
    retryable: true,
    remedy: 'Nothing at first: it is tried again with a new lease. If it goes on, look for what keeps this host from being reached.',
    details: { lease: self.value, lost: true },
  })
}

/**
 * Which error tells best why a transfer failed. A host that ends a transfer breaks the connection, and says only in the lease why: that wins.
 * A lease that cannot be looked at leaves the error as it was.
 */
export async function whyFailed(session: Session, ref: MoRef<'HttpNfcLease'>, error: unknown, called: Called, options: CallOptions) {
  try {
    const { values } = await retrieveOne(session, ref, ['state', 'error'], options)
    if (values.state !== 'error') return error
    return leaseFault(values.error as Data<'LocalizedMethodFault'> | undefined, called)
  } catch (failure) {
    return codeOf(failure) === 'NOT_FOUND' ? lostLease(called, 'the host does not know it any more', error) : error
  }
}
