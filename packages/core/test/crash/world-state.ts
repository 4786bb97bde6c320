import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isDeepStrictEqual } from 'node:util'
import { memoryPlatform } from '@holdfast/testkit'
import { pathsOf } from './world.ts'

/** Everything there is in a world, as plain data: equal exactly when nothing has changed. */
export interface WorldState {
  /** Path to the SHA-256 of a file, the target of a link, or `folder`. */
  readonly repository: { readonly [path: string]: string }
  /**
   * Table to rows. Without the epoch, which every process that opens the catalog raises, and without what each process reports of its health and
   * until when it looks after a notification.
   */
  readonly catalog: { readonly [table: string]: readonly Row[] }
  readonly platform: readonly unknown[]
}
export type Row = { readonly [column: string]: unknown }

export async function stateOf(folder: string): Promise<WorldState> {
  const { platform } = pathsOf(folder)
  return {
    repository: await repositoriesState(folder),
    catalog: catalogState(folder),
    platform: memoryPlatform({ file: platform }).things(),
  }
}

async function repositoriesState(folder: string): Promise<WorldState['repository']> {
  const { repository, offsite } = pathsOf(folder)
  const copies = existsSync(offsite) ? Object.entries(await repositoryState(offsite)) : []
  return { ...(await repositoryState(repository)), ...Object.fromEntries(copies.map(([path, state]) => [`offsite/${path}`, state])) }
}

export async function repositoryState(root: string): Promise<WorldState['repository']> {
  const state: { [path: string]: string } = {}
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name)
    state[path.slice(root.length + 1)] = entry.isDirectory()
      ? 'folder'
      : entry.isSymbolicLink()
        ? `-> ${await readlink(path)}`
        : hashOf(entry.name, await readFile(path))
  }
  return Object.fromEntries(Object.entries(state).sort(([one], [other]) => (one < other ? -1 : 1)))
}

/** Every start writes its epoch into `repository.json`; who owns the repository is what must not change. */
function hashOf(name: string, bytes: Buffer): string {
  if (bytes.length === 0) return 'empty'
  if (name !== 'repository.json') return createHash('sha256').update(bytes).digest('hex')
  const { repositoryId, owner } = JSON.parse(bytes.toString()) as { repositoryId: string; owner: string }
  return `repository ${repositoryId} of ${owner}`
}

/** What has changed, as lines to read: one for each plain value that is not the same. */
export function differences(before: unknown, after: unknown, path = ''): readonly string[] {
  if (isDeepStrictEqual(before, after)) return []
  if (typeof before !== 'object' || typeof after !== 'object' || before === null || after === null)
    return [`${path}: ${JSON.stringify(before)} became ${JSON.stringify(after)}`]
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].flatMap((key) => differences(Reflect.get(before, key), Reflect.get(after, key), `${path}/${key}`))
}

export function catalogState(folder: string): WorldState['catalog'] {
  const database = new DatabaseSync(pathsOf(folder).catalog)
  try {
    const tables = database.prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name").all()
    const told = tables.filter(({ name }) => name !== 'node_reports')
    return Object.fromEntries(
      told.map(({ name }) => {
        const rows = database.prepare(`select * from "${String(name)}"`).all() as Row[]
        const lasting = rows.filter((row) => !(name === 'holdfast_meta' && row.name === 'epoch'))
        return [String(name), lasting.map(({ hidden_until: _, ...row }) => row)]
      }),
    )
  } finally {
    database.close()
  }
}
