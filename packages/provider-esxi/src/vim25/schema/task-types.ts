import type { DataTypeEntry } from './schema-entry.ts'

/** Tasks. */
export const taskTypes = {
  TaskInfo: {
    fields: {
      key: 'string',
      task: 'ref:Task',
      descriptionId: 'string?',
      entity: 'ref?',
      entityName: 'string?',
      state: 'queued|running|success|error',
      cancelled: 'boolean?',
      cancelable: 'boolean?',
      error: 'LocalizedMethodFault?',
      result: 'anyType?',
      progress: 'int?',
    },
  },
} as const satisfies { readonly [name: string]: DataTypeEntry }
