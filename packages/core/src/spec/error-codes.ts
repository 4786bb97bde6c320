/** One row of the table of error codes: what it means, whether the same call may simply be made again, and how a person mends it. */
export interface ErrorCodeEntry {
  /** One sentence for people. */
  readonly meaning: string
  /** The same call may succeed later without anybody changing a value; an error of this code may say otherwise for itself. */
  readonly retryable: boolean
  /** What a person does about it, when the error has no better remedy of its own. */
  readonly remedy: string
}

/** Every code that leaves a Holdfast package. `docs/errors.md` is generated from this table. */
export const errorCodes = {
  ABORTED: { meaning: 'The call was cancelled before it was finished.', retryable: true, remedy: 'Run it again if it is still wanted.' },
  ACCESS_DENIED: {
    meaning: 'The platform or a file refuses this user.',
    retryable: false,
    remedy: 'Give the account the right that the message names, or use another account.',
  },
  BASE_LOST: {
    meaning: 'The platform cannot build on the last checkpoint any more.',
    retryable: true,
    remedy: 'Nothing: the engine makes a full backup instead.',
  },
  CHECKSUM_MISMATCH: {
    meaning: 'Bytes differ from the hash that was recorded for them.',
    retryable: false,
    remedy: 'Restore another point; run verify on the repository and check its disks.',
  },
  CLOCK_JUMPED: {
    meaning: 'A clock of this host or of the store has jumped, so nothing is deleted because of its age.',
    retryable: false,
    remedy: 'Set the clock right. If it is right as it is, say so with engine.confirmClock(); a restart of the node says the same.',
  },
  DATABASE_LOCKED: {
    meaning: 'Another program holds the catalog file for too long.',
    retryable: true,
    remedy: 'Close the program that has the file open, then try again.',
  },
  DISK_FULL: {
    meaning: 'The repository has no space left.',
    retryable: true,
    remedy: 'Free space or prune points, then run it again. Nothing that was stored before is harmed.',
  },
  ENGINE_STOPPED: { meaning: 'The engine was stopped.', retryable: false, remedy: 'Create a new engine.' },
  EXISTS: { meaning: 'The name is taken.', retryable: false, remedy: 'Read the name: the earlier write may be your own.' },
  FOREIGN_HOST: {
    meaning: 'The catalog file belongs to another host.',
    retryable: false,
    remedy: 'Use one catalog file per host.',
  },
  FOREIGN_OWNER: {
    meaning: 'The repository is owned by another catalog. It can be read, not changed.',
    retryable: false,
    remedy: "Call engine.rescan({ repository, takeOver: '<storeId shown>' }) if the other catalog is gone for good.",
  },
  IMAGE_DAMAGED: {
    meaning: 'A disk image or its sums file contradicts itself.',
    retryable: false,
    remedy: 'Use another copy of this image; do not use data from this one.',
  },
  INTERNAL: { meaning: 'Something that should be impossible happened.', retryable: false, remedy: 'Report it with the log.' },
  INVALID_OPTIONS: {
    meaning: 'A value given to Holdfast is not what it takes.',
    retryable: false,
    remedy: 'Mend the value at the path shown.',
  },
  IN_USE: {
    meaning: 'The target is used by something that runs.',
    retryable: true,
    remedy: 'Stop what uses it, or restore under a new name.',
  },
  NAME_TAKEN: {
    meaning: 'Something else has the asked name on the platform.',
    retryable: false,
    remedy:
      'Choose another name. Or replace it on purpose: name it as the target, engine.restore(workload, { target }), or a Docker volume with options: { replace: true }.',
  },
  NOT_FOUND: { meaning: 'There is nothing with this name.', retryable: false, remedy: 'Check the name.' },
  NOTIFIER_FAILED: {
    meaning: 'A notification could not be delivered.',
    retryable: true,
    remedy: 'Nothing at first: it is sent again. If it goes on, check the receiver.',
  },
  NUMBER_TAKEN: {
    meaning: 'Another attempt decided this number first.',
    retryable: true,
    remedy: 'Nothing: the run is tried again under the next number.',
  },
  PATH_OUTSIDE: {
    meaning: 'A path leaves the folder it must stay in.',
    retryable: false,
    remedy: 'Do not use this data: it is damaged or hostile.',
  },
  POINT_CONDEMNED: { meaning: 'The restore point is being deleted.', retryable: false, remedy: 'Use another point.' },
  POINT_DAMAGED: {
    meaning: 'The restore point does not verify.',
    retryable: false,
    remedy: 'Restore another point; the message names the file that is damaged.',
  },
  POINT_NEEDED: {
    meaning: 'The restore point cannot be deleted: something needs it.',
    retryable: false,
    remedy: 'Remove the pin or hold, or delete what builds on it first.',
  },
  PROVIDER_FAILED: { meaning: 'The platform refused or broke a request.', retryable: true, remedy: 'Read the cause shown.' },
  READ_FAILED: {
    meaning: 'A file could not be read.',
    retryable: true,
    remedy: 'Check permissions and the disk the file is on, then try again.',
  },
  REPOSITORY_CHANGED: {
    meaning: 'The repository is not the one that this catalog knows under this name.',
    retryable: false,
    remedy: 'Mount the right one, or give this one another name.',
  },
  REPOSITORY_DAMAGED: {
    meaning: 'repository.json does not verify.',
    retryable: false,
    remedy:
      "Restore repository.json from a copy, or have it written anew: engine.rescan({ repository, takeOver: 'damaged' }), if no other catalog uses it.",
  },
  REPOSITORY_FAILED: {
    meaning: 'The storage of the repository refused or broke a request.',
    retryable: true,
    remedy: 'Read the cause shown, and check the disk or share that holds the repository.',
  },
  REPOSITORY_MISSING: {
    meaning: 'The folder of the repository is there but empty, or not there: it is probably not mounted.',
    retryable: true,
    remedy: 'Mount it, then try again.',
  },
  REPOSITORY_NOT_WRITABLE: {
    meaning: 'The repository cannot be written.',
    retryable: true,
    remedy: 'Check owner and mode of the folder, and whether it is mounted read-only.',
  },
  RUN_CANCELLED: { meaning: 'Somebody cancelled the run.', retryable: false, remedy: 'Run it again if it is still wanted.' },
  RUN_FAILED: { meaning: 'The run used up its attempts.', retryable: false, remedy: 'Read the cause, mend it, run it again.' },
  STALE_LEASE: { meaning: 'Another worker has taken over this run.', retryable: false, remedy: 'Nothing: the other worker finishes it.' },
  STALLED: {
    meaning: 'No bytes came for too long.',
    retryable: true,
    remedy: 'Check the connection to the platform and to the repository.',
  },
  STORE_BUSY: { meaning: 'The catalog is busy.', retryable: true, remedy: 'Try again in a moment.' },
  STORE_FAILED: {
    meaning: 'The catalog cannot be opened, read or written.',
    retryable: false,
    remedy: 'Read the message: it names the file and what is wrong with it.',
  },
  STORE_NEWER: {
    meaning: 'The catalog was written by a newer version of Holdfast.',
    retryable: false,
    remedy: 'Update Holdfast on this host.',
  },
  TIMED_OUT: {
    meaning: 'A call did not finish within its time limit.',
    retryable: true,
    remedy: 'Check that the peer named in the message answers, then try again.',
  },
  TRUNCATED: {
    meaning: 'A stream ended before its end mark.',
    retryable: true,
    remedy: 'Run it again; if it happens again, look for files that shrink while they are read.',
  },
  UNDO_FAILED: {
    meaning: 'What a run made on the platform could not be removed yet.',
    retryable: true,
    remedy: 'Nothing at first: it is tried again. If it goes on, read the cause.',
  },
  UNREACHABLE: {
    meaning: 'The platform does not answer at the address given.',
    retryable: true,
    remedy: 'Check the address and whether the platform is running.',
  },
  UNSUPPORTED: { meaning: 'This combination is not supported.', retryable: false, remedy: 'Read the message for what is.' },
  UNSUPPORTED_FORMAT: {
    meaning: 'The file uses a feature or version this software does not read.',
    retryable: false,
    remedy: 'Update Holdfast, or convert the file.',
  },
} as const satisfies { readonly [code: string]: ErrorCodeEntry }

/** A code of the table. */
export type ErrorCode = keyof typeof errorCodes
