import type { MethodEntry } from './schema-entry.ts'

/** The property collector, and tasks. */
export const propertyMethods = {
  CreateContainerView: {
    on: 'ViewManager',
    parameters: { container: 'ref', type: 'string[]', recursive: 'boolean' },
    result: 'ref:ContainerView',
  },
  DestroyView: { on: 'ContainerView', parameters: {} },
  RetrievePropertiesEx: {
    on: 'PropertyCollector',
    parameters: { specSet: 'PropertyFilterSpec[]', options: 'RetrieveOptions' },
    result: 'RetrieveResult?',
    reads: true,
  },
  ContinueRetrievePropertiesEx: { on: 'PropertyCollector', parameters: { token: 'string' }, result: 'RetrieveResult' },
  CreateFilter: {
    on: 'PropertyCollector',
    parameters: { spec: 'PropertyFilterSpec', partialUpdates: 'boolean' },
    result: 'ref:PropertyFilter',
  },
  DestroyPropertyFilter: { on: 'PropertyFilter', parameters: {} },
  WaitForUpdatesEx: { on: 'PropertyCollector', parameters: { version: 'string?', options: 'WaitOptions?' }, result: 'UpdateSet?' },
  CancelWaitForUpdates: { on: 'PropertyCollector', parameters: {} },
  CreatePropertyCollector: { on: 'PropertyCollector', parameters: {}, result: 'ref:PropertyCollector' },
  DestroyPropertyCollector: { on: 'PropertyCollector', parameters: {} },
  CancelTask: { on: 'Task', parameters: {} },
} as const satisfies { readonly [name: string]: MethodEntry }
