/** A moment in the life of a disk whose changes are tracked. */
export interface ChangeId {
  /** Names the time since tracking was begun: another one means that nothing is known of what was before. */
  readonly epoch: string
  /** Grows from moment to moment. */
  readonly sequence: number
}

/**
 * Reads `52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81`. Undefined: it has another form, so that nothing can be said of it.
 *
 * Source: Virtual Disk Development Kit Programming Guide, "Changed Block Tracking on Virtual Disks".
 */
export function parseChangeId(text: string | undefined): ChangeId | undefined {
  const [, epoch, sequence] = /^(\S.*)\/(\d{1,15})$/.exec(text ?? '') ?? []
  return epoch === undefined ? undefined : { epoch, sequence: Number(sequence) }
}

/** Why changes from one moment to another cannot be told; undefined: nothing speaks against it. */
export function whyNotSince(before: string, now: string | undefined): string | undefined {
  const [old, current] = [parseChangeId(before), parseChangeId(now)]
  if (current === undefined) return 'the host does not track its changes'
  if (old === undefined || old.epoch !== current.epoch) return 'tracking was begun anew since the last point'
  return current.sequence < old.sequence ? 'the machine was put back to an earlier time since the last point' : undefined
}
