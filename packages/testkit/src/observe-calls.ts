import type { BackupSink, BlocksItem, CallOptions, Provider, StreamItem } from '@holdfast/core/spec'

/** One moment at the border of a contract object: just before or just after one asynchronous call on it. */
export interface CallPoint {
  /** The name given to the observed object, for example `store`. */
  readonly seam: string
  /** Path of the method: `runs.take`, `open().readInto`, `list().next`, `dispose`. */
  readonly method: string
  readonly phase: 'before' | 'after'
  /** Which call of this method on this seam: 1 is the first. Before and after of one call have the same. */
  readonly count: number
  readonly arguments: readonly unknown[]
  /** Only `after`, only if the call rejected. */
  readonly error?: unknown
}
/** Awaited at each point. It may throw (the call rejects with that), wait, never resolve (a freeze) or kill the process. */
export type CallHook = (point: CallPoint) => Promise<void> | void

/** How {@link observeCalls} names what it sees, and what it cannot know by itself. */
export interface ObserveOptions {
  /** Begins the name of every point. Give each observed object its own, or counts of two objects mix in one name. */
  readonly seam: string
  /** Paths of further methods that are not asynchronous: they return a plain value or an iterable. Generators are recognised by themselves. */
  readonly synchronous?: readonly string[]
}

/** `seam.method.phase#count`: the name of a point, equal in two runs that make the same calls. */
export const pointName = ({ seam, method, phase, count }: CallPoint): string => `${seam}.${method}.${phase}#${count}`

// What the contracts declare as returning an iterable or a plain value; a function that is neither `async` nor a generator does not tell.
const synchronousPaths = new Set(['list', 'workloads', 'leftovers', 'parseOptions', 'plans.list', 'runs.list', 'points.workloads'])
for (const path of ['nodes.history', 'replications.list', 'replications.timeline', 'keep', 'note', 'step']) synchronousPaths.add(path)
const synchronousOfReturned = new Set(['stream', 'entries'])

/**
 * The same object, seen through a hook: every asynchronous method of it, of the objects inside it (a store's `runs`) and of the objects it
 * returns (stored bytes, block sources, file handles, streams) calls the hook before and after. Crash tests derive their kill points from
 * this, so that no list of them can be incomplete. The hook's points are the calls that were really made.
 */
export function observeCalls<T extends object>(target: T, hook: CallHook, { seam, synchronous }: ObserveOptions): T {
  const counts = new Map<string, number>()
  const extra = new Set(synchronous)

  const observer: Observer = {
    isSynchronous: (path, method) => extra.has(path) || isSynchronous(path, method),
    async call(method, given, act) {
      const count = (counts.get(method) ?? 0) + 1
      counts.set(method, count)
      const point = { seam, method, count, arguments: given }
      await hook({ ...point, phase: 'before' })
      let result: unknown
      try {
        result = await act()
      } catch (error) {
        await hook({ ...point, phase: 'after', error })
        throw error
      }
      await hook({ ...point, phase: 'after' })
      return observed(observer, result, `${method}()`)
    },
  }
  return observed(observer, target, '') as T
}

type Method = (...given: unknown[]) => unknown
interface Observer {
  isSynchronous(path: string, method: Method): boolean
  call(method: string, given: readonly unknown[], act: () => unknown): Promise<unknown>
}

function isSynchronous(path: string, method: Method): boolean {
  const maker = method.constructor.name
  if (maker === 'AsyncFunction') return false
  if (maker === 'AsyncGeneratorFunction' || maker === 'GeneratorFunction') return true
  const last = path.slice(path.lastIndexOf('.') + 1)
  return synchronousPaths.has(path) || last === 'extents' || (path.includes('().') && synchronousOfReturned.has(last))
}

/** A stand-in for a contract object; any other value is itself. */
function observed(observer: Observer, value: unknown, path: string): unknown {
  if (!isContractObject(value)) return value
  const methods = new Map<string | symbol, unknown>()
  const get = (_shell: object, key: string | symbol): unknown => {
    if (methods.has(key)) return methods.get(key)
    const found = property(observer, value, path, key)
    if (typeof found === 'function') methods.set(key, found) // a plain property may change
    return found
  }
  // An empty object stands in for the target, because a proxy must not answer differently for a frozen target.
  return new Proxy(Object.create(Object.getPrototypeOf(value)) as object, {
    get,
    has: (_shell, key) => key in value,
    ownKeys: () => Reflect.ownKeys(value),
    getOwnPropertyDescriptor(shell, key) {
      const own = Reflect.getOwnPropertyDescriptor(value, key)
      return own && { value: get(shell, key), enumerable: own.enumerable ?? false, configurable: true, writable: true }
    },
    set: (_shell, key, next) => Reflect.set(value, key, next, value),
  })
}

function property(observer: Observer, owner: object, path: string, key: string | symbol): unknown {
  const value: unknown = Reflect.get(owner, key, owner)
  if (key === Symbol.asyncIterator && typeof value === 'function') return observedIterator(observer, owner as AsyncIterable<unknown>, path)
  const name = nameOf(key)
  if (name === undefined) return value
  const inner = path === '' ? name : `${path}.${name}`
  if (typeof value !== 'function') return observed(observer, value, inner)
  const method = value as Method
  if (observer.isSynchronous(inner, method)) return (...given: unknown[]) => observed(observer, method.apply(owner, given), `${inner}()`)
  return (...given: unknown[]) => observer.call(inner, given, () => method.apply(owner, given))
}

function nameOf(key: string | symbol): string | undefined {
  if (key === Symbol.asyncDispose) return 'dispose'
  return typeof key === 'string' && key !== 'then' && key !== 'constructor' ? key : undefined
}

function observedIterator(observer: Observer, owner: AsyncIterable<unknown>, path: string): () => AsyncIterator<unknown> {
  const method = path === '' ? 'next' : `${path}.next`
  return () => {
    const iterator = owner[Symbol.asyncIterator]()
    return {
      next: (...given) => observer.call(method, given, () => iterator.next(...given)) as Promise<IteratorResult<unknown>>,
      return: async (value) => (await iterator.return?.(value)) ?? { done: true, value },
    }
  }
}

/**
 * A provider seen through a hook, with the items that it gives to the sink: `<seam>.backup`, `<seam>.undo`, and as `<seam>-item` each `open`, read
 * and chunk of what it opens. Everything else that a backup does passes through the repository and the store.
 */
export function observeProvider(provider: Provider, hook: CallHook, { seam = 'provider' }: Partial<ObserveOptions> = {}): Provider {
  const observedProvider = observeCalls(provider, hook, { seam })
  const items = observeCalls(
    { open: async (item: BlocksItem | StreamItem, options: CallOptions): Promise<unknown> => item.open(options) },
    hook,
    {
      seam: `${seam}-item`,
    },
  )
  const through = <T extends BlocksItem | StreamItem>(item: T): T => ({
    ...item,
    open: (options: CallOptions) => items.open(item, options),
  })
  const backup: Provider['backup'] = (request, sink, run) => {
    const seen: BackupSink = { blocks: (item) => sink.blocks(through(item)), stream: (item) => sink.stream(through(item)) }
    return observedProvider.backup(request, seen, run)
  }
  return new Proxy(observedProvider, { get: (target, key) => (key === 'backup' ? backup : Reflect.get(target, key)) })
}

/** An object with a method. Buffers, errors, dates, arrays and plain values are results, not contract objects. */
function isContractObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  if (
    ArrayBuffer.isView(value) ||
    value instanceof Error ||
    value instanceof Promise ||
    value instanceof Date ||
    value instanceof Map ||
    value instanceof Set
  )
    return false
  if (Symbol.asyncIterator in value || Symbol.asyncDispose in value) return true
  for (let level: object | null = value; level !== null && level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    for (const [key, own] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
      if (key === 'constructor') continue
      if (typeof own.value === 'function') return true
      // A store's parts may be objects: an object that holds contract objects is one.
      if (level === value && isContractObject(own.value)) return true
    }
  }
  return false
}
