import type { Notification } from '../spec/notifier.ts'

/** What one type of notification tells. */
export interface NotificationType {
  /** How much it usually matters. */
  readonly severity: Notification['severity']
  /** It is the all-clear of this type: whoever is told of that is told of its end too. */
  readonly ends?: string
  /** One sentence for people. */
  readonly meaning: string
}

/** Every type of notification that Holdfast sends. */
export const notificationTypes = {
  'catalog-rolled-back': {
    severity: 'warning',
    meaning: 'The database was older than a repository, so it was put back from a copy: all repositories were read again.',
  },
  'node-back': { severity: 'info', ends: 'node-stale', meaning: 'A node that had been silent reports again.' },
  'node-error': { severity: 'error', meaning: 'A check of a node has found an error.' },
  'node-recovered': { severity: 'info', ends: 'node-error', meaning: 'The checks of a node find no error any more.' },
  'node-stale': { severity: 'error', meaning: 'A node has been silent for too long.' },
  'point-quarantined': { severity: 'error', meaning: 'A verification found a restore point damaged: it is not used any more.' },
  'probe-failed': { severity: 'error', meaning: 'A test restore was made, but what it brought back did not pass its probe.' },
  'repository-taken-over': { severity: 'warning', meaning: 'A repository has a new owner: this catalog.' },
  'run-cancelled': { severity: 'info', meaning: 'Somebody cancelled a run.' },
  'run-failed': { severity: 'error', meaning: 'A run has failed and is not tried again.' },
  'run-recovered': { severity: 'info', ends: 'run-failed', meaning: 'What had failed the last time has succeeded.' },
  'run-retried': { severity: 'warning', meaning: 'An attempt has failed; the run is tried again.' },
  'run-skipped': { severity: 'warning', meaning: 'A run was not begun, because the one before it had not ended.' },
  'run-succeeded': { severity: 'info', meaning: 'A run has succeeded.' },
  'schedule-missed': { severity: 'warning', meaning: 'A plan was due and did not run.' },
  'selection-incomplete': { severity: 'warning', meaning: 'A plan found nothing for one of its patterns, or could not look.' },
  'undo-failed': { severity: 'error', meaning: 'What a run made on a platform for itself cannot be removed. It is tried again.' },
} as const satisfies { readonly [type: string]: NotificationType }

/** A type of the table. */
export type NotificationTypeName = keyof typeof notificationTypes

/** The row of any type; undefined for one that only another plug-in knows. */
export function notificationType(type: string): NotificationType | undefined {
  return Object.hasOwn(notificationTypes, type) ? notificationTypes[type as NotificationTypeName] : undefined
}
