import { collectingSink } from '@holdfast/testkit'
import { afterAll, expect, it } from 'vitest'
import { describeWithPeer } from '../../../scripts/peers/test-peers.ts'
import { docker } from '../src/index.ts'
import { attempt, backup, nothing, realEngine, rejection } from './support/real-engine.ts'

describeWithPeer('docker', 'secrets of volumes on a real engine', (facts) => {
  const engine = realEngine(facts)
  const provider = docker({ socketPath: facts.socket })
  afterAll(async () => engine.removeAll())

  it('a label with a secret is nowhere in a backup, and a restore makes the volume without it and says so', async () => {
    const [volume, copy] = [engine.name('labelled'), engine.name('labelled-copy')]
    await engine.docker('volume', 'create', '--label', 'app.password=hunter2', '--label', 'tier=low', volume)
    const found = []
    for await (const workload of provider.workloads({ signal: new AbortController().signal, id: volume })) found.push(workload)
    expect(found).toEqual([expect.objectContaining({ labels: { tier: 'low', 'app.password': '***' } })])
    const saved = await backup(provider, engine.system, volume, 'labelled')
    expect(JSON.stringify([saved.result, saved.notes])).not.toContain('hunter2')
    const context = attempt({ provider, system: engine.system, run: 'labelled-back' })
    await provider.restore({ purpose: 'recover', name: copy, start: false, options: {} }, saved.source, context.run)
    await context.undoOpen({ committed: true })
    const [inspected] = JSON.parse(await engine.docker('volume', 'inspect', copy))
    expect(inspected.Labels).toMatchObject({ tier: 'low' })
    expect(inspected.Labels).not.toHaveProperty('app.password')
    expect(context.notes).toContainEqual(
      expect.objectContaining({ level: 'warning', code: 'OPTIONS_LEFT_OUT', message: expect.stringContaining('app.password') }),
    )
  })

  it('a share that cannot be mounted fails with the reason of the engine, which repeats the password, and without the password', async () => {
    const volume = engine.name('share')
    const options = ['type=cifs', 'device=//127.0.0.1/none', 'o=username=shop,pwd=hunter2'].flatMap((option) => ['-o', option])
    await engine.docker('volume', 'create', ...options, volume)
    const context = attempt({ provider, system: engine.system, run: 'share' })
    const error = await rejection(provider.backup({ workload: volume, options: {} }, collectingSink().sink, context.run))
    expect(error).toMatchObject({ code: 'PROVIDER_FAILED', message: expect.stringContaining('pwd=***') })
    expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain('hunter2')
    await context.undoOpen()
  })

  it('a point of a share whose password was hidden makes nothing on the engine until its options are given', async () => {
    const [volume, copy] = [engine.name('plain'), engine.name('share-copy')]
    await engine.docker('volume', 'create', volume)
    await engine.inside(volume, 'echo content > file')
    const saved = await backup(provider, engine.system, volume, 'plain')
    const options = { type: 'cifs', device: '//nas/share', o: 'username=shop,password=***' }
    const source = { ...saved.source, description: { v: 1, volume: { name: volume, driver: 'local', options, labels: {} } } }
    const request = { purpose: 'recover', name: copy, start: false } as const
    const refused = attempt({ provider, system: engine.system, run: 'refused' })
    expect(await rejection(provider.restore({ ...request, options: {} }, source, refused.run))).toMatchObject({
      code: 'INVALID_OPTIONS',
      remedy: expect.stringContaining('driverOptions: {}'),
    })
    expect(refused.intents).toEqual([])
    expect(await engine.docker('volume', 'ls', '-q')).not.toContain(copy)
    const given = attempt({ provider, system: engine.system, run: 'given' })
    await provider.restore({ ...request, options: { driver: 'local', driverOptions: {} } }, source, given.run)
    await given.undoOpen({ committed: true })
    expect(await engine.inside(copy, 'cat file')).toBe('content\n')
    expect(await engine.marked()).toEqual({ ...nothing, volumes: expect.arrayContaining([copy]) })
  })
})
