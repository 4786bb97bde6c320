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

export interface ObserveOptions {
  readonly seam: string
  /** Paths of further methods that are not asynchronous: they return a plain value or an iterable. Generators are recognised by themselves. */
  readonly synchronous?: readonly string[]
}

/** `seam.method.phase#count`: the name of a point, equal in two runs that make the same calls. */
export const pointName = ({ seam, method, phase, count }: CallPoint): string => `${seam}.${method}.${phase}#${count}`

// What the contracts declare as returning an iterable or a plain value; a function that is neither `async` nor a generator does not tell.
const synchronousPaths = new Set(['list', 'workloads', 'leftovers', 'parseOptions', 'plans.list', 'runs.list', 'points.workloads'])
for (const path of ['nodes.history', 'replications.list', 'replications.timeline', 'keep', 'note', 'step']) synchronousPaths.add(path)
const synchronousOfReturned = new Set(['extents', 'stream', 'entries'])

/**
 * The same object, seen through a hook: every asynchronous method of it, of the objects inside it (a store's `runs`) and of the objects it
 * returns (stored bytes, block sources, file handles, streams) calls the hook before and after. Crash tests derive their kill points from
 * this, so that no list of them can be incomplete. The hook's points are the calls that were really made.
 */
export function observeCalls<T extends object>(target: T, hook: CallHook, options: ObserveOptions): T {
  const counts = new Map<string, number>()
  const extra = new Set(options.synchronous)
  const isSynchronous = (path: string, value: object): boolean => {
    const maker = value.constructor.name
    if (maker === 'AsyncFunction') return false
    if (maker === 'AsyncGeneratorFunction' || maker === 'GeneratorFunction') return true
    const last = path.slice(path.lastIndexOf('.') + 1)
    return synchronousPaths.has(path) || extra.has(path) || (path.includes('().') && synchronousOfReturned.has(last)) || path === 'extents'
  }

  async function call(method: string, given: readonly unknown[], act: () => unknown): Promise<unknown> {
    const count = (counts.get(method) ?? 0) + 1
    counts.set(method, count)
    const point = { seam: options.seam, method, count, arguments: given }
    await hook({ ...point, phase: 'before' })
    let result: unknown
    try {
      result = await act()
    } catch (error) {
      await hook({ ...point, phase: 'after', error })
      throw error
    }
    await hook({ ...point, phase: 'after' })
    return observed(result, `${method}()`)
  }

  function observedMethod(owner: object, path: string, value: (...given: unknown[]) => unknown): (...given: unknown[]) => unknown {
    if (isSynchronous(path, value)) return (...given) => observed(value.apply(owner, given), `${path}()`)
    return (...given) => call(path, given, () => value.apply(owner, given))
  }

  function observedIterator(owner: AsyncIterable<unknown>, path: string): () => AsyncIterator<unknown> {
    return () => {
      const iterator = owner[Symbol.asyncIterator]()
      const method = path === '' ? 'next' : `${path}.next`
      return {
        next: (...given) => call(method, given, () => iterator.next(...given)) as Promise<IteratorResult<unknown>>,
        return: async (value) => (await iterator.return?.(value)) ?? { done: true, value },
      }
    }
  }

  function property(owner: object, path: string, key: string | symbol): unknown {
    const value: unknown = Reflect.get(owner, key, owner)
    if (key === Symbol.asyncIterator && typeof value === 'function') return observedIterator(owner as AsyncIterable<unknown>, path)
    const name =
      key === Symbol.asyncDispose ? 'dispose' : typeof key === 'string' && key !== 'then' && key !== 'constructor' ? key : undefined
    if (name === undefined) return value
    const inner = path === '' ? name : `${path}.${name}`
    if (typeof value === 'function') return observedMethod(owner, inner, value as (...given: unknown[]) => unknown)
    return observed(value, inner)
  }

  function observed(value: unknown, path: string): unknown {
    if (!isContractObject(value)) return value
    const known = new Map<string | symbol, unknown>()
    const get = (_shell: object, key: string | symbol): unknown => {
      // Only functions are kept: a plain property may change.
      if (!known.has(key)) {
        const found = property(value, path, key)
        if (typeof found !== 'function') return found
        known.set(key, found)
      }
      return known.get(key)
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

  return observed(target, '') as T
}

/** An object with a method. Buffers, errors, dates, arrays and plain values are results, not contract objects. */
function isContractObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  if (ArrayBuffer.isView(value) || value instanceof Error || value instanceof Date || value instanceof Map || value instanceof Set)
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
