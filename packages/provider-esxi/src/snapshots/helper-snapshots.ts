/** Whether a name is of a snapshot that backup programs and hosts make for themselves while they work on the disks: nothing else may be made beside it. */
export const isHelperSnapshot = (name: string): boolean => /^(consolidate helper|_vcb-backup_)/i.test(name)
