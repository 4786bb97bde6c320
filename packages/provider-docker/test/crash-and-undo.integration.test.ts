import { createHash } from 'node:crypto'
import { collectingSink } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithPeer } from '../../../scripts/peers/test-peers.ts'
import { docker } from '../src/index.ts'
import { type DeathPoint, dyingConnection } from './support/dying-connection.ts'
import { attempt, backup, leftoversOf, listing, nothing, realEngine } from './support/real-engine.ts'

const options = { signal: new AbortController().signal }

describeWithPeer('docker', 'a process that dies at each request to the engine', (facts) => {
  const engine = realEngine(facts)
  const provider = docker({ socketPath: facts.socket })
  const volume = engine.name('source')
  let saved: Awaited<ReturnType<typeof backup>>
  let content: readonly string[]
  beforeAll(async () => {
    await engine.docker('volume', 'create', volume)
    await engine.inside(volume, 'mkdir a; echo one > a/f; echo two > g; ln g a/h; ln -s g s; chmod 700 .')
    content = await listing(engine, volume)
    saved = await backup(provider, engine.system, volume, 'source')
  })
  afterAll(async () => engine.removeAll())

  /** Calls `body` with a provider that dies at each point in turn until one run of it lives to its end; `after` is told how it went. */
  async function atEachPoint(
    operation: (dying: ReturnType<typeof docker>, context: ReturnType<typeof attempt>) => Promise<unknown>,
    after: (context: ReturnType<typeof attempt>, finished: boolean, point: string) => Promise<void>,
    moments: readonly DeathPoint['when'][] = ['before', 'after'],
  ): Promise<number> {
    let points = 0
    for (let request = 1; ; request++) {
      let finished = false
      for (const when of moments) {
        const death: DeathPoint = { request, when }
        const connection = await dyingConnection(facts.socket, death)
        const dying = docker({ socketPath: connection.socketPath })
        const context = attempt({ provider: dying, system: engine.system, run: `run-${request}-${when}` })
        await operation(dying, context).catch((error: unknown) => {
          if (!connection.state.dead) throw error
        })
        await connection.close()
        finished = !connection.state.dead
        await after(context, finished, `${when} request ${request}`)
        points++
      }
      if (finished) return points
    }
  }
  const undoTwice = async (context: ReturnType<typeof attempt>): Promise<void> => {
    for (let round = 0; round < 2; round++)
      for (const intent of context.intents.toReversed()) expect(await provider.undo(intent, options)).toBe('undone')
  }

  it('backup: undo leaves nothing, twice, and the volume untouched', async () => {
    const points = await atEachPoint(
      (dying, { run }) => dying.backup({ workload: volume, options: {} }, collectingSink().sink, run),
      async (context, finished, point) => {
        if (!finished) await undoTwice(context)
        expect(await engine.marked(), point).toEqual(nothing)
      },
    )
    expect(points).toBeGreaterThan(20)
    expect(await listing(engine, volume)).toEqual(content)
  })

  it('restore into a new volume: undo leaves nothing, twice', async () => {
    const name = engine.name('new')
    const points = await atEachPoint(
      (dying, { run }) => dying.restore({ purpose: 'recover', name, start: false, options: {} }, saved.source, run),
      async (context, finished, point) => {
        if (finished) expect(await engine.marked()).toEqual({ ...nothing, volumes: [name] })
        await undoTwice(context)
        expect(await engine.marked(), point).toEqual(nothing)
      },
    )
    expect(points).toBeGreaterThan(25)
  })

  it('restore into a new volume with the catalog lost: leftovers name all that is unfinished, and a volume that stays is whole', async () => {
    const name = engine.name('lost')
    await atEachPoint(
      (dying, { run }) => dying.restore({ purpose: 'recover', name, start: false, options: {} }, saved.source, run),
      async (_context, _finished, point) => {
        for (const intent of await leftoversOf(provider, engine.system)) await provider.undo(intent, options)
        expect(await leftoversOf(provider, engine.system), point).toEqual([])
        const left = await engine.marked()
        expect({ ...left, volumes: [] }, point).toEqual(nothing)
        if (left.volumes.length === 0) return
        expect(await listing(engine, name), point).toEqual(content)
        await engine.docker('volume', 'rm', name)
      },
    )
  })

  it('replace: undo, by the stored intents or (catalog lost) by leftovers, leaves the old or the new content whole, and nothing else', async () => {
    const target = engine.name('target')
    const clean =
      'rm -rf /v/* /v/.[!.]*; mkdir -p old/x; echo old > old/x/f; echo more > m; chmod 755 .; touch -d "2020-02-02 02:02:02" old/x/f old/x old m .'
    await engine.docker('volume', 'create', '--label', 'own=yes', target)
    await engine.inside(target, clean)
    // Never started, so it does not count as running; through it `docker cp` reads the volume.
    const watch = async (volumeName: string): Promise<string> =>
      engine.docker('create', '--name', `${engine.system}-${volumeName}`, '-v', `${volumeName}:/v:nocopy`, facts.image, 'true')
    await watch(target)
    await watch(volume)
    const archive = async (name: string): Promise<string> =>
      createHash('sha256')
        .update(await engine.docker('cp', `${engine.system}-${name}:/v`, '-'))
        .digest('hex')
    const [before, wanted] = [await archive(target), await archive(volume)]
    expect(before).not.toBe(wanted)
    const outcomes = { old: 0, new: 0 }
    let turn = 0
    await atEachPoint(
      (dying, { run }) => dying.restore({ purpose: 'recover', name: target, target, start: false, options: {} }, saved.source, run),
      async (context, finished, point) => {
        if (turn++ % 2 === 0) await undoTwice(context)
        else for (const intent of await leftoversOf(provider, engine.system)) await provider.undo(intent, options)
        expect(await engine.marked(), point).toEqual(nothing)
        const now = await archive(target)
        expect([before, wanted], point).toContain(now)
        if (finished) expect(now, point).toBe(wanted)
        outcomes[now === before ? 'old' : 'new']++
        if (now !== before) await engine.inside(target, clean)
      },
      // Requests come one after the other, so dying before the next one is dying after this one, with the next intent stored as well.
      ['before'],
    )
    expect(outcomes.old).toBeGreaterThan(20)
    expect(outcomes.new).toBeGreaterThan(10)
    expect(JSON.parse(await engine.docker('volume', 'inspect', target))[0].Labels).toEqual({ own: 'yes' })
  }, 600_000)
})
