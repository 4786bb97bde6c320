import { countingIds, fakeClock, memoryRepository, memoryStore } from '@holdfast/testkit'
import type { EngineOptions } from '../src/engine/engine.ts'
import { parseEngineOptions } from '../src/engine/engine-options.ts'
import { createHealth } from '../src/engine/health/health.ts'
import type { Check } from '../src/spec/check.ts'
import type { Provider } from '../src/spec/provider.ts'

export const options = { signal: new AbortController().signal }
export const second = 1000
export const minute = 60 * second
export const day = 24 * 60 * minute

/** A store, a provider, a repository and as many nodes as a test wants, on one fake clock. */
export function site() {
  const clock = fakeClock()
  const store = memoryStore({ clock, ids: countingIds('s') })
  const findings: Check[] = [{ name: 'connection', status: 'ok', message: 'Engine 1.2 answers.' }]
  const unused = () => Promise.reject(new Error('health only checks'))
  const work = { workloads: unused, backup: unused, restore: unused, undo: unused }
  const common = { specVersion: 1, kind: 'none', async [Symbol.asyncDispose]() {} }
  const provider = { ...common, ...work, check: async () => findings } as unknown as Provider
  const repository = memoryRepository({ clock })
  async function node(name: string, more: Partial<EngineOptions> = {}) {
    const given = { name, store, repositories: { main: repository }, providers: { p: provider }, clock, ids: countingIds(name), ...more }
    const { parts, setIdentity } = parseEngineOptions(given)
    setIdentity(await store.open(options))
    const health = createHealth(parts)
    return { parts, health, run: () => clock.runUntil(health.run(options)) }
  }
  /** Notifications that were put into the store since the last look. */
  async function news() {
    const events = await store.outbox.take(0, 100, options)
    await store.outbox.done(
      events.map((event) => event.id),
      options,
    )
    return events.map(({ event }) => event as { readonly type: string; readonly severity: string; readonly text: string })
  }
  const types = async () => (await news()).map(({ type }) => type)
  return { clock, store, findings, provider, repository, node, news, types }
}
export type Site = ReturnType<typeof site>
export type Node = Awaited<ReturnType<Site['node']>>

/** One round of each, every 30 seconds. */
export async function live({ clock }: Site, nodes: readonly Node[], milliseconds: number) {
  for (let left = milliseconds; left > 0; left -= 30 * second) {
    await clock.advance(30 * second)
    for (const node of nodes) await node.run()
  }
}
export const stateOf = async (node: Node) => (await node.health.status(false, options)).state
