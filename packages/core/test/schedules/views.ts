import type { Repository, Store } from '@holdfast/core/spec'
import { HoldfastError } from '@holdfast/core/spec'
import type { FaultyRepository, MemoryPlatform, MemoryStore } from '@holdfast/testkit'
import type { Process, Traffic } from './traffic.ts'

const listing = new Set(['plans.list', 'runs.list', 'points.workloads', 'nodes.history', 'replications.list', 'replications.timeline'])
const storeParts = ['plans', 'runs', 'points', 'nodes', 'replications', 'outbox'] as const

type Call = (...given: unknown[]) => unknown
/** Told after a call took effect, before anybody else does anything. */
export type StoreObserver = (method: string, given: readonly unknown[], result: unknown, error: unknown) => void

/** The store as one process sees it: each call waits before it takes effect, and again before it is answered. */
export function storeView(store: MemoryStore, process: Process, traffic: Traffic, observe: StoreObserver): Store {
  const around = async (label: string, act: () => unknown, given: readonly unknown[]): Promise<unknown> => {
    await traffic.gate(process, `store ${label} before`)
    let result: unknown
    try {
      result = await act()
    } catch (error) {
      observe(label, given, undefined, error)
      throw error
    }
    observe(label, given, result, undefined)
    await traffic.gate(process, `store ${label} after`)
    return result
  }
  async function* list(label: string, act: () => unknown, given: readonly unknown[]) {
    const found = (await around(label, () => collect(act() as AsyncIterable<unknown>), given)) as readonly unknown[]
    yield* found
  }
  const part = (name: (typeof storeParts)[number]) =>
    Object.fromEntries(
      Object.entries(store[name] as unknown as Record<string, Call>).map(([method, call]) => {
        const label = `${name}.${method}`
        const act = listing.has(label)
          ? (...given: unknown[]) => list(label, () => call(...given), given)
          : (...given: unknown[]) => around(label, () => call(...given), given)
        return [method, act]
      }),
    )
  const view = Object.fromEntries(storeParts.map((name) => [name, part(name)]))
  return {
    ...view,
    specVersion: 1,
    open: (options: Parameters<Store['open']>[0]) => around('open', () => store.open(options), [options]),
    [Symbol.asyncDispose]: async () => {},
  } as unknown as Store
}

function gatedHost<Host extends object>(host: Host, kind: string, process: Process, traffic: Traffic): Host {
  return Object.fromEntries(
    Object.entries(host as Record<string, Call>).map(([method, call]) => [
      method,
      async (...given: unknown[]) => {
        await traffic.gate(process, `${kind}.${method} before`)
        const result = await call(...given)
        await traffic.gate(process, `${kind}.${method} after`)
        return result
      },
    ]),
  ) as Host
}

/** The platform as the providers of one process see it. */
export function platformView(platform: MemoryPlatform, process: Process, traffic: Traffic): MemoryPlatform {
  return {
    ...platform,
    volumes: gatedHost(platform.volumes, 'volumes', process, traffic),
    machines: gatedHost(platform.machines, 'machines', process, traffic),
    async *stream(bytes, provable, options) {
      await traffic.gate(process, 'stream')
      yield* platform.stream(bytes, provable, options)
    },
  }
}

/** The repository as one process sees it. `mounted` false: the folder is not there. `changed` is told after each visible change. */
export function repositoryView(
  repository: FaultyRepository,
  process: Process,
  traffic: Traffic,
  state: { mounted: boolean; full: boolean },
  changed: (label: string) => void,
): Repository {
  return repository.view((label) => {
    const visible = label.startsWith('put visible') || label.startsWith('delete visible')
    if (visible) changed(label)
    const passed = traffic.gate(process, label)
    const missing = () => {
      if (state.mounted || visible || !label.includes(' before ')) {
        if (state.full && label.startsWith('put before') && !label.includes('manifest')) {
          throw new HoldfastError('DISK_FULL', 'no space is left')
        }
        return
      }
      throw new HoldfastError('REPOSITORY_MISSING', 'the folder of the repository is not there')
    }
    return passed ? passed.then(missing) : missing()
  })
}

async function collect(values: AsyncIterable<unknown>): Promise<readonly unknown[]> {
  const found: unknown[] = []
  for await (const value of values) found.push(value)
  return found
}
