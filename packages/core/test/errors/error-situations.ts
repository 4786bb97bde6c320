import { linkSync, mkdtempSync, readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BackupPlanInput, createEngine, type Engine, type EngineOptions, type FileSystem, localRepository } from '@holdfast/core'
import { HoldfastError } from '@holdfast/core/spec'
import { sqlite } from '@holdfast/store-sqlite'
import { type MemoryPlatform, memoryPlatform, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { expect, onTestFinished } from 'vitest'
import { root } from '../../../../scripts/peers/locations.ts'

/** One error as a person sees it, with what differs from run to run replaced. */
export interface RecordedError {
  readonly situation: string
  readonly code: string
  readonly message: string
  readonly remedy: string
}

export const recordedFile = join(root, 'docs/error-messages.json')

export function recordedErrors(): readonly RecordedError[] {
  return JSON.parse(readFileSync(recordedFile, 'utf8'))
}

export async function writeRecorded(errors: readonly RecordedError[]): Promise<void> {
  await writeFile(recordedFile, `${JSON.stringify(errors, undefined, 2)}\n`)
}

/** The same text on every machine: folders, ids and times are replaced by ones that never change. */
export function normalised(text: string, names: ReadonlyMap<string, string>): string {
  let result = text
  for (const [from, to] of names) result = result.replaceAll(from, to)
  return (
    result
      .replace(/\d{8}T\d{6}Z-[0-9a-f]{16}/g, '20261120T020000Z-5f3a9c01d2e4b678')
      .replace(/\b[0-9a-f]{32}\b/g, '8d1c5e2f9ab04c37a6e1f0d2b3c49587')
      // Archive and index are written side by side: whichever comes first is named.
      .replace('shop-db.tar.index.zst', 'shop-db.tar.zst')
      .replace(/of its \d+ bytes/g, 'of its 1655 bytes')
  )
}

/** An engine over real files: SQLite, a local repository, a provider that needs no platform. Nothing waits for a second attempt. */
export interface ErrorWorld {
  readonly folder: string
  readonly repositoryFolder: string
  readonly catalog: string
  readonly platform: MemoryPlatform
  engine(options?: Partial<EngineOptions> & { readonly fileSystem?: FileSystem }): Promise<Engine>
}

export const plan: BackupPlanInput = { kind: 'backup', repository: 'main', workloads: [{ provider: 'files', id: 'shop-db' }] }

export function errorWorld(): ErrorWorld {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-errors-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const repositoryFolder = join(folder, 'repository')
  const catalog = join(folder, 'catalog.db')
  const platform = memoryPlatform({ random: seededRandom(1) })
  platform.addVolume('shop-db')
  return {
    folder,
    repositoryFolder,
    catalog,
    platform,
    async engine({ fileSystem, ...options } = {}) {
      const engine = await createEngine({
        name: 'backup1',
        store: sqlite({ file: catalog, hostName: 'backup1', waitMs: 200 }),
        repositories: { main: localRepository({ folder: repositoryFolder, ...(fileSystem && { fileSystem }) }) },
        providers: { files: scriptedProvider(platform, { shape: 'tarVolume', name: 'files' }) },
        plans: { nightly: plan },
        retry: { maxFailures: 1 },
        ...options,
      })
      onTestFinished(() => engine.stop())
      return engine
    },
  }
}

export async function rejection(promise: PromiseLike<unknown>): Promise<HoldfastError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (HoldfastError.isInstance(error)) return error
  throw new Error(`expected a HoldfastError, got ${error instanceof Error ? error.stack : String(error)}`)
}

/** A socket file that nobody listens on any more: what a dead engine leaves. */
export async function deadSocket(path: string): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(`${path}.live`, resolve))
  linkSync(`${path}.live`, path)
  await new Promise((resolve) => server.close(resolve))
}

/** What was recorded in this run, in the order of the table. */
export function recorder(situations: readonly string[]) {
  const seen = new Map<string, RecordedError>()
  const update = process.env.HOLDFAST_UPDATE === '1'
  return {
    check(situation: string, error: HoldfastError, names: ReadonlyMap<string, string>): void {
      const { code } = error
      const entry = { situation, code, message: normalised(error.message, names), remedy: normalised(error.remedy, names) }
      expect(situations, 'the table names it').toContain(situation)
      seen.set(situation, entry)
      if (update) return
      expect(entry, 'run this test with HOLDFAST_UPDATE=1, then npm run docs:generate').toEqual(
        recordedErrors().find((each) => each.situation === situation),
      )
    },
    async finish(): Promise<void> {
      if (update) await writeRecorded(situations.flatMap((situation) => seen.get(situation) ?? recordedIfAny(situation)))
      expect(recordedErrors().map(({ situation }) => situation)).toEqual(situations)
    },
  }
}

function recordedIfAny(situation: string): readonly RecordedError[] {
  try {
    return recordedErrors().filter((each) => each.situation === situation)
  } catch {
    return []
  }
}
