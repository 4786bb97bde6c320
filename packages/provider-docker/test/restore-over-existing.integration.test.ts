import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { describeWithPeer } from '../../../scripts/peers/test-peers.ts'
import { docker } from '../src/index.ts'
import { attempt, backup, listing, nothing, realEngine, rejection } from './support/real-engine.ts'

const options = { signal: new AbortController().signal }

describeWithPeer('docker', 'a restore where something is already', (facts) => {
  const engine = realEngine(facts)
  const provider = docker({ socketPath: facts.socket })
  const volume = engine.name('source')
  let saved: Awaited<ReturnType<typeof backup>>
  beforeAll(async () => {
    await engine.docker('volume', 'create', volume)
    await engine.inside(volume, 'echo new > new; mkdir d; echo x > d/x')
    saved = await backup(provider, engine.system, volume, 'source')
  })
  afterAll(async () => engine.removeAll())
  // Restored volumes keep their mark: each test begins with none.
  afterEach(async () => {
    const { volumes } = await engine.marked()
    if (volumes.length > 0) await engine.docker('volume', 'rm', ...volumes)
  })
  const existing = async (text: string): Promise<string> => {
    const name = engine.name(text)
    await engine.docker('volume', 'create', name)
    await engine.inside(name, 'echo precious > precious')
    return name
  }
  const recover = (name: string, run: string, more: object = {}) => {
    const context = attempt({ provider, system: engine.system, run })
    const request = { purpose: 'recover', name, start: false, options: {}, ...more } as const
    return { context, result: provider.restore(request, saved.source, context.run) }
  }

  it('an existing name is NAME_TAKEN: undo does not touch it', async () => {
    const name = await existing('taken')
    const { context, result } = recover(name, 'taken')
    expect(await rejection(result)).toMatchObject({ code: 'NAME_TAKEN', message: expect.stringContaining(name), retryable: false })
    expect(context.intended).toEqual([])
    await context.undoOpen()
    expect(await engine.inside(name, 'cat precious')).toBe('precious\n')
  })

  it('a name that somebody takes between the look and the creation is NAME_TAKEN: undo does not touch it', async () => {
    const name = engine.name('raced')
    const context = attempt({ provider, system: engine.system, run: 'raced' })
    const run: typeof context.run = {
      ...context.run,
      intend: async (kind, data) => {
        if (kind === 'remove-volume') await existing('raced')
        return context.run.intend(kind, data)
      },
    }
    const request = { purpose: 'recover', name, start: false, options: {} } as const
    expect(await rejection(provider.restore(request, saved.source, run))).toMatchObject({ code: 'NAME_TAKEN' })
    await context.undoOpen()
    expect(await engine.inside(name, 'cat precious')).toBe('precious\n')
    expect(await engine.marked()).toEqual(nothing)
  })

  it('what a finished restore made is NAME_TAKEN for the same run counted anew (a database rolled back), and stays whole', async () => {
    const name = engine.name('again')
    const first = recover(name, 'again')
    await first.result
    await first.context.undoOpen({ committed: true })
    await engine.inside(name, 'echo written-since > since')
    const second = recover(name, 'again')
    expect(await rejection(second.result)).toMatchObject({ code: 'NAME_TAKEN' })
    await second.context.undoOpen()
    expect(await engine.inside(name, 'cat since')).toBe('written-since\n')
  })

  it('an unfinished attempt is undone by its own mark only: a volume of another attempt under the same name stays', async () => {
    const name = engine.name('other-attempt')
    const second = attempt({ provider, system: engine.system, run: 'zombie', attempt: 2 })
    await provider.restore({ purpose: 'recover', name, start: false, options: {} }, saved.source, second.run)
    const mark = { system: engine.system, plan: 'nightly', run: 'zombie', attempt: 1 }
    for (const kind of ['remove-helper', 'remove-volume'])
      await provider.undo(
        { id: 'x', provider: 'docker', kind, kept: false, mark, data: { volume: name, helper: 'holdfast-x', image: 'y' } },
        options,
      )
    expect(await engine.inside(name, 'cat new')).toBe('new\n')
  })

  it('undo leaves an unfinished volume that somebody has begun to use', async () => {
    const name = engine.name('adopted')
    const context = attempt({ provider, system: engine.system, run: 'adopted' })
    await provider.restore({ purpose: 'recover', name, start: false, options: {} }, saved.source, context.run)
    await engine.background(name, 'sleep 600', 'adopter')
    await context.undoOpen()
    expect(await engine.inside(name, 'cat new')).toBe('new\n')
    await engine.docker('rm', '-f', `${engine.system}-adopter`)
    await engine.docker('volume', 'rm', name)
  })

  it('replace while a container runs is IN_USE, names the container, and changes nothing', async () => {
    const name = await existing('busy')
    await engine.background(name, 'sleep 600', 'busy-user')
    const { context, result } = recover(name, 'busy', { options: { replace: true } })
    const error = await rejection(result)
    expect(error).toMatchObject({
      code: 'IN_USE',
      message: expect.stringContaining('busy-user'),
      remedy: expect.stringContaining('busy-user'),
    })
    await context.undoOpen()
    expect(await engine.inside(name, 'ls')).toBe('precious\n')
    expect(await engine.marked()).toEqual(nothing)
    await engine.docker('rm', '-f', `${engine.system}-busy-user`)
  })

  it('replace gives the volume exactly the stored content, hidden files and mode of the folder included', async () => {
    const name = await existing('replaced')
    await engine.inside(name, 'echo h > .hidden; mkdir -p deep/er; echo r > deep/er/f; chmod 000 deep/er; chmod 4711 .')
    const { context, result } = recover(name, 'replaced', { options: { replace: true } })
    expect(await result).toEqual({ workload: name })
    await context.undoOpen({ committed: true })
    expect(await listing(engine, name)).toEqual(await listing(engine, volume))
    expect(await engine.marked()).toEqual(nothing)
  })

  it('replace of what is not there makes a new volume; a target that is not there is NOT_FOUND', async () => {
    const name = engine.name('absent')
    const { context, result } = recover(name, 'absent', { target: name })
    expect(await rejection(result)).toMatchObject({ code: 'NOT_FOUND' })
    await context.undoOpen()
    const made = recover(name, 'absent2', { options: { replace: true } })
    expect(await made.result).toEqual({ workload: name })
    expect(await listing(engine, name)).toEqual(await listing(engine, volume))
  })

  it('a refill that was undone to its end copies nothing again, whatever was written since', async () => {
    const name = await existing('late')
    const { context, result } = recover(name, 'late', { options: { replace: true } })
    await result
    await engine.inside(name, 'echo since > since')
    const refill = context.intended.find((intent) => intent.kind === 'refill-volume')
    if (!refill) throw new Error('no refill intent')
    for (let round = 0; round < 2; round++) expect(await provider.undo(refill, options)).toBe('undone')
    expect(await engine.inside(name, 'cat since')).toBe('since\n')
  })

  it('a test restore ignores the target and is undone like any attempt', async () => {
    const name = engine.name('try')
    const target = await existing('try-target')
    const { context, result } = recover(name, 'try', { purpose: 'test', target })
    expect(await result).toEqual({ workload: name })
    expect(await listing(engine, name)).toEqual(await listing(engine, volume))
    await context.undoOpen()
    expect(await engine.marked()).toMatchObject({ containers: [], images: [] })
    expect(await engine.docker('volume', 'ls', '-q')).not.toMatch(new RegExp(`^${name}$`, 'm'))
    expect(await engine.inside(target, 'ls')).toBe('precious\n')
  })
})
