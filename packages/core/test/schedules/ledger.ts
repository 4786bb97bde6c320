import { createHash } from 'node:crypto'
import type { Cursor, Flags, ManifestRef, PlanRow, PointRow, Run } from '@holdfast/core/spec'
import type { FaultyRepository, MemoryStore } from '@holdfast/testkit'
import { decodeManifest, type Manifest } from '../../src/model/manifest.ts'
import { fileEntriesOf, filesOfManifest } from '../../src/model/manifest-files.ts'
import { manifestPath, parseRepositoryPath, type RepositoryPath } from '../../src/model/names.ts'

/** What a memory store knows, as far as the checks look at it. */
export interface StoreView {
  readonly runs: ReadonlyMap<string, Run>
  readonly points: ReadonlyMap<string, PointRow & { readonly condemned: boolean }>
  readonly flags: ReadonlyMap<string, Flags>
  readonly plans: ReadonlyMap<string, PlanRow>
  readonly cursors: ReadonlyMap<string, Cursor>
  readonly outbox: ReadonlyMap<string, { readonly done: boolean }>
  readonly epoch: number
  readonly storeId: string
}

export function stateOf(store: MemoryStore): StoreView {
  return store.dump().state as StoreView
}

const paths = new Map<string, RepositoryPath>()
export function parsedPath(path: string): RepositoryPath {
  let parsed = paths.get(path)
  if (!parsed) {
    if (paths.size > 50_000) paths.clear()
    parsed = parseRepositoryPath(path)
    paths.set(path, parsed)
  }
  return parsed
}

interface SeenManifest {
  readonly manifest: Manifest
  /** The very bytes that its files had when it was first seen: nobody may ever exchange them. */
  readonly files: ReadonlyMap<string, Uint8Array | undefined>
}

/** Every promise that holds at each instant, checked from outside the engine. */
export interface Ledger {
  /** Folders of points that the store knows as committed and that nobody has condemned. */
  readonly must: Set<string>
  readonly pinned: Set<string>
  /** For longer than any schedule lasts. */
  readonly held: Set<string>
  /** Current manifest of each point folder, as of the last inspection. */
  current(): ReadonlyMap<string, Manifest>
  /** Every file that a live manifest names, as of the last inspection. */
  files(): ReadonlySet<string>
  inspect(): void
  finished(store: MemoryStore, rows: readonly ManifestRef[]): void
  /** Rescan takes these rows out of the catalog. */
  dropped(manifests: readonly ManifestRef[]): void
  condemned(store: MemoryStore, manifests: readonly ManifestRef[]): void
}

/** `name`: as the engines know the repository. */
export function createLedger(repository: FaultyRepository, name: string, violateAny: (text: string) => void): Ledger {
  const violate = (text: string) => violateAny(name === 'main' ? text : `${name}: ${text}`)
  const must = new Set<string>()
  const pinned = new Set<string>()
  const held = new Set<string>()
  const seen = new WeakMap<Uint8Array, SeenManifest>()
  let current = new Map<string, Manifest>()
  let named = new Set<string>()

  function inspect(): void {
    const files = repository.snapshot()
    current = new Map()
    named = new Set()
    const made = new Map<string, number>()
    for (const [path, bytes] of files) {
      const parsed = parsedPath(path)
      if (parsed.kind !== 'manifest' || bytes.length === 0) continue
      const { manifest, files: known } = look(files, path, bytes, parsed)
      for (const [file, before] of known) {
        named.add(file)
        if (!before || files.get(file) !== before) violate(`half-visible point: ${path} lacks ${file}`)
      }
      const best = current.get(parsed.folder)
      if (!best || best.number < manifest.number) current.set(parsed.folder, manifest)
      const writer = manifest.rewritten?.runKey ?? manifest.runKey
      const count = (made.get(writer) ?? 0) + 1
      made.set(writer, count)
      if (count > 1) violate(`two executions committed for ${writer}`)
    }
    for (const [folder, manifest] of current) {
      const home = folder.slice(0, folder.indexOf('/'))
      for (const parent of new Set(Object.values(manifest.parents)))
        if (!current.has(`${home}/${parent}`)) violate(`half-visible point: ${folder} lacks its parent ${parent}`)
    }
    for (const folder of must) if (!current.has(folder)) violate(`committed point lost: ${folder}`)
    for (const folder of pinned) if (!current.has(folder)) violate(`pinned point lost: ${folder}`)
    for (const folder of held) if (!current.has(folder)) violate(`held point lost: ${folder}`)
  }

  function look(files: ReadonlyMap<string, Uint8Array>, path: string, bytes: Uint8Array, where: { folder: string; number: number }) {
    const before = seen.get(bytes)
    if (before) return before
    const manifest = decodeManifest(bytes, where)
    const named = new Map(filesOfManifest(manifest).map((file) => [`${where.folder}/${file}`, files.get(`${where.folder}/${file}`)]))
    for (const entry of fileEntriesOf(manifest)) {
      const stored = named.get(`${where.folder}/${entry.path}`)
      if (stored && !whole(stored, entry)) violate(`half-visible point: ${path} names ${entry.path}, which is torn`)
    }
    const found = { manifest, files: named }
    seen.set(bytes, found)
    return found
  }

  return {
    must,
    pinned,
    held,
    current: () => current,
    files: () => named,
    inspect,
    finished(store, rows) {
      const { points } = stateOf(store)
      for (const row of points.values())
        if (row.repository === name && !row.condemned && rows.some((other) => other.folder === row.folder && other.number === row.number))
          must.add(row.folder)
      inspect()
    },
    dropped(manifests) {
      const files = repository.snapshot()
      for (const { folder, number } of manifests)
        if (files.get(manifestPath(folder, number))?.length) violate(`live point dropped from the catalog: ${folder}`)
    },
    condemned(store, manifests) {
      const { points, runs } = stateOf(store)
      for (const { folder, number } of manifests) {
        // An old number goes when a merge has put another in its place; the point stays.
        const stays = [...points.values()].some((row) => row.repository === name && row.folder === folder && !row.condemned)
        if (pinned.has(folder) && !stays) violate(`pinned point condemned: ${folder}`)
        if (held.has(folder) && !stays) violate(`held point condemned: ${folder}`)
        if (!stays) must.delete(folder)
        for (const run of runs.values()) {
          if (
            run.state === 'running' &&
            run.reads.some((read) => read.repository === name && read.folder === folder && read.number === number)
          )
            violate(`live reader ${run.key} lost ${folder}`)
        }
      }
    },
  }
}

function whole(bytes: Uint8Array, entry: { readonly size: number; readonly sha256?: string }): boolean {
  if (bytes.length !== entry.size) return false
  return entry.sha256 === undefined || createHash('sha256').update(bytes).digest('hex') === entry.sha256
}
