import { join } from 'node:path'
import { type BackupPlanInput, createEngine, type Engine, localRepository } from '@holdfast/core'
import type { Provider } from '@holdfast/core/spec'
import { sqlite } from '@holdfast/store-sqlite'

/** An engine as an application composes it; catalog and repository lie in the folder. */
export function openEngine(
  folder: string,
  provider: Provider,
  workload: string,
  plan: Pick<BackupPlanInput, 'chain'> = {},
): Promise<Engine> {
  return createEngine({
    name: 'bench',
    store: sqlite({ file: join(folder, 'catalog.db') }),
    repositories: { main: localRepository({ folder: join(folder, 'backups') }) },
    providers: { source: provider },
    plans: { once: { kind: 'backup', repository: 'main', workloads: [{ provider: 'source', id: workload }], ...plan } },
  })
}
