import {
  assertSafePath,
  type ByteStream,
  type CallOptions,
  type Clock,
  HoldfastError,
  pullFrom,
  type Repository,
  type StoredBytes,
  throwIfAborted,
} from '@holdfast/core/spec'

/** What a memory repository may be given: nothing is needed. */
export interface MemoryRepositoryOptions {
  /** What the age of files is measured with. Without one every file is 0 ms old. */
  readonly clock?: Clock
}

/** A repository with a window into it. */
export interface MemoryRepository extends Repository {
  /** The visible files, by path. The bytes are not copied. */
  snapshot(): ReadonlyMap<string, Uint8Array>
}

/** A repository that keeps its promises and forgets everything with the process. For tests of what uses a repository. */
export function memoryRepository(options: MemoryRepositoryOptions = {}): MemoryRepository {
  const memory: Memory = { files: new Map(), aliases: new Map(), now: () => options.clock?.now() ?? 0 }
  return {
    specVersion: 1,
    createIfAbsent: 'atomic',
    async check(call) {
      throwIfAborted(call.signal)
      return [{ name: 'reachable', status: 'ok', message: 'The repository is in memory' }]
    },
    put: (path, bytes, call) => put(memory, path, bytes, call),
    async open(path, call) {
      checkStoredPath(path)
      throwIfAborted(call.signal)
      if (memory.aliases.has(path)) throw new HoldfastError('PATH_OUTSIDE', `cannot open '${path}': it is an alias`)
      const file = memory.files.get(path)
      if (!file) throw new HoldfastError('NOT_FOUND', `cannot open '${path}': there is no such file`, { details: { path } })
      return memoryBytes(path, file.bytes)
    },
    list: (prefix, call) => list(memory, prefix, call),
    async sync(folder, call) {
      if (folder !== '') checkStoredPath(folder.replace(/\/$/, ''))
      throwIfAborted(call.signal)
    },
    delete: (path, call) => remove(memory, path, call),
    alias: (path, target, call) => alias(memory, path, target, call),
    snapshot: () => new Map([...memory.files].map(([path, { bytes }]) => [path, bytes])),
    async [Symbol.asyncDispose]() {},
  }
}

interface Memory {
  readonly files: Map<string, { readonly bytes: Uint8Array; readonly putAt: number }>
  readonly aliases: Map<string, string>
  now(): number
}

const isTaken = ({ files, aliases }: Memory, path: string): boolean => files.has(path) || aliases.has(path)

async function put(
  memory: Memory,
  path: string,
  bytes: ByteStream,
  options: Parameters<Repository['put']>[2],
): Promise<{ readonly size: number }> {
  const { size, ifAbsent, retainUntil, signal } = options
  checkStoredPath(path)
  if (retainUntil !== undefined)
    throw new HoldfastError('UNSUPPORTED', `cannot keep '${path}' until ${retainUntil}: memory has no retention lock`)
  if (ifAbsent && isTaken(memory, path)) throw existsError(path)
  const whole = await collectPut(path, bytes, size, { signal })
  if (ifAbsent && isTaken(memory, path)) throw existsError(path)
  memory.aliases.delete(path)
  memory.files.set(path, { bytes: whole, putAt: memory.now() })
  return { size: whole.length }
}

async function* list(
  memory: Memory,
  prefix: string,
  call: CallOptions,
): ReturnType<Repository['list']> & AsyncGenerator<{ path: string; size: number; ageMs: number }> {
  checkListPrefix(prefix)
  for (const [path, file] of [...memory.files]) {
    throwIfAborted(call.signal)
    if (path.startsWith(prefix)) yield { path, size: file.bytes.length, ageMs: Math.max(0, memory.now() - file.putAt) }
  }
}

async function remove({ files, aliases }: Memory, path: string, call: CallOptions): Promise<void> {
  checkStoredPath(path.replace(/\/$/, ''))
  throwIfAborted(call.signal)
  const below = [...files.keys(), ...aliases.keys()].filter((name) => name.startsWith(path))
  for (const name of path.endsWith('/') ? below : [path]) {
    for (const [other, target] of [...aliases]) if (target === name) aliases.delete(other)
    files.delete(name)
    aliases.delete(name)
  }
}

async function alias(memory: Memory, path: string, target: string, call: CallOptions & { readonly replace?: boolean }): Promise<void> {
  checkStoredPath(path)
  checkStoredPath(target)
  throwIfAborted(call.signal)
  if (!memory.files.has(target)) throw new HoldfastError('NOT_FOUND', `cannot make the alias '${path}': there is no file '${target}'`)
  if (memory.files.has(path) && call.replace !== true) throw existsError(path)
  memory.files.delete(path)
  memory.aliases.set(path, target)
}

export function existsError(path: string): HoldfastError {
  return new HoldfastError('EXISTS', `'${path}' exists already`, { details: { path } })
}

export function checkStoredPath(path: string): void {
  assertSafePath(path, 'The repository path')
}

export function checkListPrefix(prefix: string): void {
  if (prefix === '') return
  if (!prefix.endsWith('/'))
    throw new HoldfastError('INVALID_OPTIONS', `cannot list ${JSON.stringify(prefix)}: a prefix is empty or ends in '/'`)
  checkStoredPath(prefix.slice(0, -1))
}

/** Takes a whole stream as `put` must: a copy of every chunk, the declared size checked, an abort answered at once. */
export async function collectPut(path: string, bytes: ByteStream, size: number | undefined, call: CallOptions): Promise<Uint8Array> {
  throwIfAborted(call.signal)
  const pull = pullFrom(bytes, call)
  try {
    const chunks: Uint8Array[] = []
    let total = 0
    for (let chunk = await pull.next(); chunk !== undefined && total <= (size ?? total); chunk = await pull.next()) {
      chunks.push(new Uint8Array(chunk))
      total += chunk.length
    }
    if (size !== undefined && size !== total) {
      const details = { path, expected: size, received: total }
      throw new HoldfastError('TRUNCATED', `the stream for '${path}' was to give ${size} bytes and gave ${total > size ? 'more' : total}`, {
        details,
      })
    }
    throwIfAborted(call.signal)
    return concatenate(chunks, total)
  } finally {
    pull.close()
  }
}

function concatenate(chunks: readonly Uint8Array[], total: number): Uint8Array {
  const only = chunks[0]
  if (chunks.length === 1 && only) return only
  const whole = new Uint8Array(total)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

/** Stored bytes over a buffer that nobody changes. */
export function memoryBytes(path: string, bytes: Uint8Array): StoredBytes {
  function range(start: number, end: number): Uint8Array {
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
      throw new HoldfastError('INVALID_OPTIONS', `cannot read bytes ${start} to ${end} of '${path}': that is no range`)
    }
    if (end > bytes.length) {
      throw new HoldfastError('TRUNCATED', `'${path}' holds ${bytes.length} bytes where ${end} were expected`, { retryable: false })
    }
    return bytes.subarray(start, end)
  }
  return {
    size: bytes.length,
    readers: 4,
    readBytes: 1 << 20,
    async readInto(target, offset, call) {
      throwIfAborted(call.signal)
      target.set(range(offset, offset + target.length))
    },
    stream({ start, end }, call) {
      const part = range(start, end)
      return lend(part, call)
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** The stored bytes are copied: a reader that writes into its chunk must not change the file. */
async function* lend(part: Uint8Array, call: CallOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const chunkBytes = 1 << 20
  for (let at = 0; at < part.length; at += chunkBytes) {
    throwIfAborted(call.signal)
    yield part.slice(at, at + chunkBytes)
  }
}
