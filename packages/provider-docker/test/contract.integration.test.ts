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
  const lines = (text: string): string[] => [...new Set(text.split('\n').filter(Boolean))]
  // Told by lists alone: `inspect` would wait for a container whose archive is open just then, which is when the contract looks.
  const listed = async (kind: string, ...words: readonly string[]): Promise<readonly PlatformThing[]> => {
    const rows = lines(await engine.docker(...words, '--format', '{{json .}}')).map((line) => JSON.parse(line) as Record<string, string>)
    return rows.map((row) => {
      const labels = Object.fromEntries((row['Labels'] ?? '').split(',').map((pair) => pair.split('=', 2)))
      const mark = readMark(labels)
      return { id: `${kind} ${row['Names'] ?? row['Name'] ?? row['ID']}`, ...(mark && { mark }), state: null }
    })
  }
  const marked = ['--filter', 'label=holdfast.system=testkit']
  /** Lists show no labels of images; the tag carries run and attempt. */
  const images = async (): Promise<readonly PlatformThing[]> =>
    lines(await engine.docker('images', ...marked, '--format', '{{.Tag}}')).map((tag) => {
      const [, run = '', attempt = ''] = /^[0-9a-f]{8}-(.*)\.(\d+)$/.exec(tag) ?? []
      return { id: `image ${tag}`, mark: { system: 'testkit', plan: 'contract', run, attempt: Number(attempt) }, state: null }
    })

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
        const volumes = (await listed('volume', 'volume', 'ls')).filter(({ id }) => own(id.slice(7)))
        const states = await Promise.all(
          volumes.map(async (volumeThing) => {
            const text = await engine.inside(volumeThing.id.slice(7), 'find . | sort; find . -type f | sort | xargs -r sha256sum')
            return { ...volumeThing, state: createHash('sha256').update(text).digest('hex') }
          }),
        )
        return [...states, ...(await listed('container', 'ps', '-a', ...marked)), ...(await images())]
      },
      async [Symbol.asyncDispose]() {
        const volumes = lines(await engine.docker('volume', 'ls', '-q')).filter(own)
        if (volumes.length > 0) await engine.docker('volume', 'rm', ...volumes)
      },
    }
  }

  providerContract({ describe, it, create, newName: () => engine.name(`copy-${tests}`), replaces: true, soonMs: 30_000 })
})
