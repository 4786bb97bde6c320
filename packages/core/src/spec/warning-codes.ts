/**
 * Every code that Holdfast's own packages give a warning or a note, beside those of `errorCodes`: what it tells. Warnings are events of the engine
 * (`warning`) and lines of the log; nothing fails because of them. Other providers may note codes of their own.
 */
export const warningCodes = {
  ALREADY_THERE:
    'A copy of named points leaves out those that the other repository holds already. Verify them there if they may be damaged.',
  BASE_LOST: 'The platform cannot build on the last checkpoint any more: a full backup is made instead.',
  CATALOG_BEHIND: 'A repository holds points that the catalog does not know: they are read again.',
  CHANGED_AREAS_NOT_USED:
    'A backup was to read only the changed areas of a machine, and reads or will read all of it. The message says why. Nothing is missing.',
  CHANGED_AREAS_READ: 'In the log only: an increment has read the changed areas of a machine alone. The message says how much came.',
  CHANGED_AREAS_WRONG:
    'A host said that a part of a disk had not changed which had. All of the machine is read instead, and its tracking is not used until it is begun anew.',
  CHANGE_TRACKING_ON: 'In the log only: a machine was set to have the changes of its disks tracked.',
  DATABASE_ROLLED_BACK: 'The database is older than a repository, so it was put back from a copy: all repositories are read again.',
  DISK_LEFT_OUT: 'A disk of a machine is not in its point, since the platform cannot freeze it. The message says when it would be.',
  FIDELITY: 'In the log only: what of the workload the platform cannot hand over, so that the point does not hold it.',
  FLAG_NOT_NOTED: 'What a test restore found of a point could not be noted beside it: the next verification finds it again.',
  FOREIGN_OWNER: 'The repository is owned by another catalog: it is only read.',
  FUTURE_POINT: 'A point carries a time that has not come yet: it is kept, and counts for no rule of retention.',
  FUZZY: 'The workload was written while it was read: its files may be from different moments.',
  HOST_WARNS: 'A host had something to say of a machine that is exported or imported, and did it all the same. The message repeats it.',
  LISTENER_FAILED: 'In the log only: a listener of the application threw. The others were called all the same.',
  MERGE_NOT_WHOLE:
    'A merged point is quarantined, or files of it are missing: its old number, and what that builds on, is not deleted. Verify the point.',
  NOTHING_VERIFIED: 'A verification found no point to verify: that nothing is damaged says nothing.',
  NOT_STARTED: 'A machine was restored whole, but could not be switched on. The message says why.',
  NO_SUMS_OF_HOST: 'A host gave no sums of what it sent or received, so that only sizes could be compared with it.',
  NOTIFICATION_DROPPED: 'A notification could not be delivered for 7 days and is given up. The log names it.',
  NOT_DELETED: 'A manifest beside a point that is to be deleted cannot be read: the files of the point stay, and each prune tries again.',
  NOTIFIER_FAILED: 'A notifier cannot deliver. What it was to be told is kept and sent again; this is told once, until it works again.',
  NO_GOOD_POINT: 'A workload has no good point, so retention deletes nothing of it.',
  NVRAM_NOT_RESTORED: 'A host takes no NVRAM: the machine was restored without it, and may need its boot entries made anew.',
  OPTIONS_LEFT_OUT:
    'What was restored was made without options of the original that would have made it the same data again, or that held a secret, which no point keeps.',
  PLAN_UNREADABLE: 'A plan in the store was written by a newer version: this node leaves it to others, and its points stay.',
  REPLICA_ID_CHANGED:
    'A replica was brought to its point, but its host has given it another id than the replica before it had. The message names both: use the new one.',
  REPOSITORY_UNAVAILABLE: 'A repository cannot be used now. Each operation asks again; the others go on.',
  RETENTION_ABSENT: 'A backup plan has no retention: all its points stay for ever. Said when the plan is put.',
  RULE_UNREACHABLE: 'A rule of retention wants points that are older than its maxAge lets any become.',
  SELECTION_FAILED: 'In the log only: a provider cannot tell its workloads, so a plan with patterns waits for it, up to 15 minutes.',
  SELECTION_INCOMPLETE: 'A plan ran for less than it names: nothing fits a pattern, or a provider could not be asked.',
  SETTLE_WAITS: 'It cannot be told yet how an earlier attempt ended: the run is tried again later.',
  SNAPSHOT_NOT_QUIESCED: 'A snapshot was to be quiesced, but the guest was not asked to flush or did not: it is as after a power cut.',
  SNAPSHOT_NOT_REMOVED: 'A snapshot that retention does not keep could not be removed: it is tried again after the next one of its plan.',
  STILL_QUARANTINED:
    'A verification read points whole that an earlier one had quarantined. They stay aside until somebody lifts the quarantine; the message names points and call.',
  SWEEP_FAILED:
    'A provider or repository could not be looked at for what earlier attempts left behind: it is looked at again at the next start or recover().',
} as const satisfies { readonly [code: string]: string }

/** A code of the table. */
export type WarningCode = keyof typeof warningCodes
