/**
 * Every code that Holdfast's own packages give a warning or a note, beside those of `errorCodes`: what it tells. Warnings are events of the engine
 * (`warning`) and lines of the log; nothing fails because of them. Other providers may note codes of their own.
 */
export const warningCodes = {
  BASE_LOST: 'The platform cannot build on the last checkpoint any more: a full backup is made instead.',
  CATALOG_BEHIND: 'A repository holds points that the catalog does not know: they are read again.',
  DATABASE_ROLLED_BACK: 'The database is older than a repository, so it was put back from a copy: all repositories are read again.',
  FIDELITY: 'In the log only: what of the workload the platform cannot hand over, so that the point does not hold it.',
  FOREIGN_OWNER: 'The repository is owned by another catalog: it is only read.',
  FUZZY: 'The workload was written while it was read: its files may be from different moments.',
  LISTENER_FAILED: 'In the log only: a listener of the application threw. The others were called all the same.',
  OPTIONS_LEFT_OUT: 'What was restored was made without options of the original that would have made it the same data again.',
  REPOSITORY_UNAVAILABLE: 'A repository cannot be used now. Each operation asks again; the others go on.',
  SETTLE_WAITS: 'It cannot be told yet how an earlier attempt ended: the run is tried again later.',
  SWEEP_FAILED:
    'A provider or repository could not be looked at for what earlier attempts left behind: it is looked at again at the next start or recover().',
} as const satisfies { readonly [code: string]: string }

/** A code of the table. */
export type WarningCode = keyof typeof warningCodes
