import type { DataTypeEntry } from './schema-entry.ts'

/** The property collector. */
export const propertyTypes = {
  PropertySpec: { fields: { type: 'string', all: 'boolean?', pathSet: 'string[]' } },
  SelectionSpec: { fields: { name: 'string?' } },
  TraversalSpec: {
    base: 'SelectionSpec',
    fields: { type: 'string', path: 'string', skip: 'boolean?', selectSet: 'SelectionSpec[]' },
  },
  ObjectSpec: { fields: { obj: 'ref', skip: 'boolean?', selectSet: 'SelectionSpec[]' } },
  PropertyFilterSpec: { fields: { propSet: 'PropertySpec[]', objectSet: 'ObjectSpec[]', reportMissingObjectsInResults: 'boolean?' } },
  RetrieveOptions: { fields: { maxObjects: 'int?' } },
  DynamicProperty: { fields: { name: 'string', val: 'anyType' } },
  MissingProperty: { fields: { path: 'string', fault: 'LocalizedMethodFault' } },
  ObjectContent: { fields: { obj: 'ref', propSet: 'DynamicProperty[]', missingSet: 'MissingProperty[]' } },
  RetrieveResult: { fields: { token: 'string?', objects: 'ObjectContent[]' } },
  WaitOptions: { fields: { maxWaitSeconds: 'int?', maxObjectUpdates: 'int?' } },
  UpdateSet: { fields: { version: 'string', filterSet: 'PropertyFilterUpdate[]', truncated: 'boolean?' } },
  PropertyFilterUpdate: { fields: { filter: 'ref:PropertyFilter', objectSet: 'ObjectUpdate[]', missingSet: 'MissingObject[]' } },
  MissingObject: { fields: { obj: 'ref', fault: 'LocalizedMethodFault' } },
  ObjectUpdate: { fields: { kind: 'modify|enter|leave', obj: 'ref', changeSet: 'PropertyChange[]', missingSet: 'MissingProperty[]' } },
  PropertyChange: { fields: { name: 'string', op: 'add|remove|assign|indirectRemove', val: 'anyType?' } },
} as const satisfies { readonly [name: string]: DataTypeEntry }
