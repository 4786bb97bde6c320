import { type CallOptions, codeOf, HoldfastError, type RunContext } from '@holdfast/core/spec'

/** Why changed areas are not used: a sentence without its full stop. */
export type Reason = string

/** What speaks against this way of reading, but not against a backup. A host that is away speaks against both. */
const mayPass = new Set(['ACCESS_DENIED', 'DISK_FULL', 'IN_USE', 'NOT_FOUND', 'PROVIDER_FAILED', 'UNSUPPORTED'])

/** Whether a backup that reads everything may go better. */
export const speaksAgainstAreas = (error: unknown, { signal }: CallOptions): error is HoldfastError =>
  !signal.aborted && HoldfastError.isInstance(error) && mayPass.has(codeOf(error) ?? '')

/** Does something that this way of reading needs. What speaks against it is told instead of thrown. */
export async function orReason<Result>(work: () => Promise<Result>, options: CallOptions): Promise<Result | { readonly why: Reason }> {
  try {
    return await work()
  } catch (error) {
    if (!speaksAgainstAreas(error, options)) throw error
    return { why: error.message.replace(/\.$/, '') }
  }
}

export const isReason = (value: unknown): value is { readonly why: Reason } => typeof value === 'object' && value !== null && 'why' in value

/** Says that everything is read, and why. */
export function noteNotUsed(run: RunContext, machine: string, why: Reason): void {
  run.note('warning', 'CHANGED_AREAS_NOT_USED', `All of ${machine} is read, and not its changed areas alone: ${why}.`)
}
