import { join } from 'node:path'
import { type EngineOptions, localRepository, webhookNotifier } from '@holdfast/core'
import { sqlite } from '@holdfast/store-sqlite'

/** Nodes of one catalog, with a short patience so that a test need not wait. */
export function nodeOptions(name: string, folder: string, webhook: string): EngineOptions {
  return {
    name,
    system: 'test',
    store: sqlite({ file: join(folder, 'catalog.db') }),
    repositories: { main: localRepository({ folder: join(folder, 'repository') }) },
    providers: {},
    notifiers: { hook: webhookNotifier({ url: webhook }) },
    hostName: 'test-host',
    leaseMs: 1_000,
    healthEveryMs: 250,
    nodeStaleMs: 3_000,
  }
}
