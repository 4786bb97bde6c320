import { type Check, HoldfastError, type Json } from '@holdfast/core/spec'

export function finding(status: Check['status'], name: string, message: string, details?: Json): Check {
  return { name, status, message, ...(details !== undefined && { details }) }
}

/**
 * What a part of the check found; a part that cannot look is a finding, and no reason for the others not to.
 * @throws ABORTED, and what is no failure of the platform.
 */
export async function findings(name: string, signal: AbortSignal, look: () => Promise<readonly Check[]>): Promise<readonly Check[]> {
  try {
    return await look()
  } catch (error) {
    if (signal.aborted || !HoldfastError.isInstance(error) || error.code === 'ABORTED') throw error
    return [finding('warning', name, `It could not be looked at: ${error.message} ${error.remedy}`, { code: error.code })]
  }
}
