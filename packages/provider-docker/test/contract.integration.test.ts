import { createHash } from 'node:crypto'
import type { Provider } from '@holdfast/core/spec'
import { type PlatformThing, type ProviderUnderTest, providerContract } from '@holdfast/testkit'
import { afterAll, describe, it } from 'vitest'
import { describeWithPeer } from '../../../scripts/peers/test-peers.ts'
import { docker } from '../src/index.ts'
import { readMark } from '../src/mark-labels.ts'
import { realEngine } from './support/real-engine.ts'

describeWithPeer('docker', 'the provider contract on a real engine', (facts) => {
  const engine = realEngine(facts)
  afterAll(async () => engine.removeAll())
  let tests = 0

  /** The engine is shared with other test files: only what belongs to this one is shown. */
  const narrowed = (own: (name: string) => boolean): Provider => {
    const provider = docker({ socketPath: facts.socket })
    return {
      ...provider,
      async *workloads(options) {
        for await (const workload of provider.workloads(options)) if (own(workload.name)) yield workload
      },
      async *leftovers(options) {
        for await (const intent of provider.leftovers?.(options) ?? [])
          if (JSON.stringify(intent.data).includes(engine.system)) yield intent
      },
    }
  }
  const labelsOf = async (kind: 'container' | 'image' | 'volume', ids: readonly string[]): Promise<readonly PlatformThing[]> => {
    if (ids.length === 0) return []
    const found = JSON.parse(await engine.docker(kind, 'inspect', ...ids)) as {
      Id?: string
      Name?: string
      Labels?: Record<string, string>
      Config?: { Labels?: Record<string, string> }
    }[]
    return found.map((thing) => {
      const mark = readMark(thing.Config?.Labels ?? thing.Labels)
      return { id: `${kind} ${kind === 'image' ? thing.Id : thing.Name}`, ...(mark && { mark }), digest: '' }
    })
  }
  const lines = (text: string): string[] => [...new Set(text.split('\n').filter(Boolean))]

  const create = async (): Promise<ProviderUnderTest> => {
    const number = ++tests
    const volume = engine.name(`contract-${number}`)
    const own = (name: string): boolean => name.startsWith(`${engine.system}-`)
    await engine.docker('volume', 'create', volume)
    await engine.inside(volume, 'mkdir d; echo content > d/f; head -c 300000 /dev/urandom > random; ln -s d s')
    return {
      provider: narrowed(own),
      another: async () => narrowed(own),
      workload: volume,
      async things() {
        const volumes = lines(await engine.docker('volume', 'ls', '-q')).filter(own)
        const marked = ['--filter', 'label=holdfast.system=testkit']
        const containers = lines(await engine.docker('ps', '-aq', ...marked))
        const images = lines(await engine.docker('images', '-aq', ...marked))
        const things = (
          await Promise.all([labelsOf('volume', volumes), labelsOf('container', containers), labelsOf('image', images)])
        ).flat()
        return Promise.all(
          things.map(async (thing) => {
            if (!thing.id.startsWith('volume ')) return thing
            const text = await engine.inside(thing.id.slice(7), 'find . | sort; find . -type f | sort | xargs -r sha256sum')
            return { ...thing, digest: createHash('sha256').update(text).digest('hex') }
          }),
        )
      },
      async [Symbol.asyncDispose]() {
        const volumes = lines(await engine.docker('volume', 'ls', '-q')).filter(own)
        if (volumes.length > 0) await engine.docker('volume', 'rm', ...volumes)
      },
    }
  }

  providerContract({ describe, it, create, newName: () => engine.name(`copy-${tests}`), replaces: true, soonMs: 30_000 })
})
