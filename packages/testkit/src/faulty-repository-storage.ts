import type { Clock } from '@holdfast/core/spec'

/** One version of a file. The object itself is its identity: two puts of equal bytes are two versions. */
export interface StoredVersion {
  readonly bytes: Uint8Array
  readonly putAt: number
}

/** A put that has not arrived yet; it may arrive at any later time, or never. */
interface LatePut {
  readonly path: string
  readonly bytes: Uint8Array
  /** When it was made, on the monotonic clock. */
  readonly madeAt: number
}

/**
 * What lies behind a faulty repository, as the model of the ordering rules has it: `visible` is what everybody sees, `durable` what survives a power loss,
 * and between them the changes that nobody has made durable yet, in the order in which they happened.
 */
export interface FaultyStorage {
  readonly visible: ReadonlyMap<string, StoredVersion>
  readonly durable: ReadonlyMap<string, StoredVersion>
  /** Files that went not long ago, for lists that lag. */
  readonly gone: ReadonlyMap<string, { readonly size: number; readonly goneAt: number }>
  readonly late: readonly LatePut[]
  /** Counts power losses: a call that began before one does not succeed after it. */
  readonly generation: number
  write(path: string, bytes: Uint8Array): StoredVersion
  remove(path: string): void
  /** Makes every change of the chosen paths durable. */
  persist(chosen: (path: string) => boolean): void
  queue(path: string, bytes: Uint8Array): void
  deliver(limit: number): number
  writeBack(): void
  powerLoss(): void
}

export function faultyStorage(random: { next(): number }, clock: Clock): FaultyStorage {
  const state = {
    visible: new Map<string, StoredVersion>(),
    durable: new Map<string, StoredVersion>(),
    gone: new Map<string, { readonly size: number; readonly goneAt: number }>(),
    late: [] as LatePut[],
    generation: 0,
    pending: [] as { readonly path: string; readonly version: StoredVersion | undefined }[],
  }
  const settle = (path: string, version: StoredVersion | undefined): void => {
    if (version) state.durable.set(path, version)
    else state.durable.delete(path)
  }
  function write(path: string, bytes: Uint8Array): StoredVersion {
    const version = { bytes, putAt: clock.now() }
    state.visible.set(path, version)
    state.pending.push({ path, version })
    return version
  }
  function persist(chosen: (path: string) => boolean): void {
    if (state.pending.length === 0) return
    for (const { path, version } of state.pending) if (chosen(path)) settle(path, version)
    state.pending = state.pending.filter(({ path }) => !chosen(path))
  }
  return Object.assign(state, {
    write,
    persist,
    remove(path: string): void {
      const version = state.visible.get(path)
      if (!version) return
      state.visible.delete(path)
      state.gone.set(path, { size: version.bytes.length, goneAt: clock.now() })
      state.pending.push({ path, version: undefined })
    },
    queue(path: string, bytes: Uint8Array): void {
      state.late.push({ path, bytes, madeAt: clock.monotonic() })
    },
    deliver(limit: number): number {
      const arriving = state.late.splice(0, limit)
      const written = arriving.filter(({ path }) => !state.visible.has(path))
      for (const { path, bytes } of arriving) if (!state.visible.has(path)) write(path, bytes)
      return written.length
    },
    writeBack(): void {
      const chosen = state.pending[Math.floor(random.next() * state.pending.length)]
      const first = state.pending.findIndex(({ path }) => path === chosen?.path)
      for (const { path, version } of first < 0 ? [] : state.pending.splice(first, 1)) settle(path, version)
    },
    powerLoss(): void {
      state.generation++
      for (const { path, version } of state.pending) {
        const chance = random.next()
        if (chance < 0.4) settle(path, version)
        else if (chance < 0.6 && version && mayTear(path, version)) settle(path, torn(version, random.next()))
      }
      state.pending = []
      state.visible = new Map(state.durable)
    },
  })
}

/** Small files are written in one piece. */
const mayTear = (path: string, { bytes }: StoredVersion): boolean => bytes.length > 1 && !path.endsWith('.json')

/** The length may be there before the bytes are, or only a part of both. */
function torn({ bytes, putAt }: StoredVersion, chance: number): StoredVersion {
  const cut = Math.floor(chance * bytes.length)
  if (chance < 0.5) return { bytes: bytes.slice(0, cut), putAt }
  const damaged = new Uint8Array(bytes.length)
  damaged.set(bytes.subarray(0, cut))
  // Where the bytes that did not come were zeros themselves, nothing would be torn.
  if (damaged.every((byte, index) => byte === bytes[index])) damaged[cut] = (bytes[cut] ?? 0) ^ 0xff
  return { bytes: damaged, putAt }
}
