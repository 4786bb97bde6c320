import { join } from 'node:path'
import { sqlite } from '@holdfast/store-sqlite'
import { createEngine, type Engine, localRepository, systemClock } from '../../src/index.ts'
import { type Clock, HoldfastError, type Provider } from '../../src/spec/index.ts'

/** A host whose clock is wrong. */
export function skewedClock(skewMs: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + skewMs }
}

/** A platform that nobody can leave half-changed, so that a process may die at any moment: what a workload holds is a function of its name. */
function bytesProvider(): Provider {
  const bytesOf = (id: string) => new TextEncoder().encode(`what ${id} holds\n`.repeat(1000))
  return {
    specVersion: 1,
    kind: 'bytes',
    async check() {
      return []
    },
    async *workloads({ id }) {
      if (id !== undefined) yield { id, name: id, kind: 'volume' }
    },
    async backup({ workload }, sink) {
      const open = async () => {
        async function* chunks() {
          yield bytesOf(workload)
        }
        return Object.assign(chunks(), { async [Symbol.asyncDispose]() {} })
      }
      await sink.stream({ format: 'bytes', name: 'content', open })
      return { description: { v: 1 }, consistency: 'off', skipped: [] }
    },
    async restore() {
      throw new HoldfastError('UNSUPPORTED', 'there is nothing to restore to')
    },
    async undo() {
      return 'undone'
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** An engine on the shared catalog and repository of a folder. The store goes by the wrong clock too. */
export async function openShared(folder: string, name: string, skewMs: number): Promise<Engine> {
  const clock = skewedClock(skewMs)
  return await createEngine({
    name,
    system: 'shared',
    store: sqlite({ file: join(folder, 'catalog.db'), hostName: 'host', clock, waitMs: 20_000 }),
    repositories: { main: localRepository({ folder: join(folder, 'repository') }) },
    providers: { p: bytesProvider() },
    clock,
    leaseMs: 1500,
    retry: { delayMs: 20, maxFailures: 100 },
  })
}

/** Says `ready`, and stops when its input ends. */
export async function workOffDue(folder: string, name: string, skewMs: number): Promise<void> {
  const engine = await openShared(folder, name, skewMs)
  await engine.start()
  process.stdout.write('ready\n')
  await new Promise<void>((resolve) => process.stdin.on('end', resolve).resume())
  await engine.stop()
}
