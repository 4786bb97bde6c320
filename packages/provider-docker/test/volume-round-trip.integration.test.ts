import type { BackupSink } from '@holdfast/core/spec'
import { collectingSink, filesOfTar } from '@holdfast/testkit'
import { afterAll, expect, it } from 'vitest'
import { describeWithPeer } from '../../../scripts/peers/test-peers.ts'
import { docker } from '../src/index.ts'
import { createTarScan } from '../src/tar-scan.ts'
import { attempt, backup, leftoversOf, listing, nothing, realEngine, rejection } from './support/real-engine.ts'

const everyKind = `
umask 022
i=1; while [ $i -le 12 ]; do echo "file $i" > f$i; touch -d "2001-02-03 04:05:$((10+i))" f$i; i=$((i+1)); done
: > empty; dd if=/dev/urandom of=random bs=65537 count=3 2>/dev/null
mkdir -p d/e/f/g/h/i/j/k; echo deep > d/e/f/g/h/i/j/k/leaf; mkdir emptydir; mkdir secret; echo s > secret/s; chmod 0700 secret
n120=$(printf '%0120d' 7); n250=$(printf '%0250d' 9); echo a > $n120; echo b > $n250; mkdir -p $n120.d/$n120.e; echo c > $n120.d/$n120.e/$n120
echo u > 'ünïcödé-雪'; printf x > "$(printf 'bad\\377\\376name')"; printf y > "$(printf 'two\\nlines')"; echo z > ' lead and trail '; echo w > .wh.deleted; echo q > 'quo"te$x'; echo bs > 'back\\slash'
ln f1 hard1; ln f1 d/hard2; ln $n120 hardlong; ln -s f1 sym; ln -s ../../escape symup; ln -s /etc/passwd symabs; ln -s nowhere dangling; ln -s $(printf '%0300d' 3) symlong; ln -s d dirlink; chown -h 12:34 sym
mkfifo pipe; mknod chr c 1 3; mknod blk b 7 250
echo 1 > setuid; chmod 4755 setuid; echo 2 > setgid; chmod 2755 setgid; mkdir sticky; chmod 1777 sticky; mkdir sgid; chmod 2775 sgid; echo 3 > none; chmod 0 none
echo 4 > owner; chown 999:998 owner; echo 5 > bigowner; chown 3000000000:2097153 bigowner; mkdir owned; chown 33:33 owned
dd if=/dev/zero of=sparse bs=1 count=1 seek=4194303 2>/dev/null; echo 6 > future; touch -d '2040-01-02 03:04:05' future; touch -d '1999-12-31 23:59:59' emptydir
chown 70:70 .; chmod 0750 .; touch -d '2015-05-05 05:05:05' .
`

describeWithPeer('docker', 'a volume on a real engine, there and back', (facts) => {
  const engine = realEngine(facts)
  const provider = docker({ socketPath: facts.socket })
  const { signal } = new AbortController()
  afterAll(async () => engine.removeAll())

  const restored = async (source: Parameters<typeof provider.restore>[1], name: string, run: string, options: object = {}) => {
    const context = attempt({ provider, system: engine.system, run })
    const result = await provider.restore({ purpose: 'recover', name, start: false, options: { ...options } }, source, context.run)
    await context.undoOpen({ committed: true })
    return { result, context }
  }

  it('docker #12 #16 #17 #22: every kind of entry comes back alike, the folder of the volume included, and nothing is left behind', async () => {
    const [volume, copy] = [engine.name('kinds'), engine.name('kinds-copy')]
    await engine.docker('volume', 'create', volume)
    await engine.inside(volume, everyKind)
    const before = await listing(engine, volume)
    expect(before.length).toBeGreaterThan(56)
    const saved = await backup(provider, engine.system, volume, 'kinds')
    expect(saved.result.consistency).toBe('off')
    expect(await engine.marked()).toEqual(nothing)
    const { result } = await restored(saved.source, copy, 'kinds-back')
    expect(result).toEqual({ workload: copy })
    expect(await listing(engine, copy)).toEqual(before)
    expect(await engine.marked()).toEqual({ ...nothing, volumes: [copy] })
    expect(await leftoversOf(provider, engine.system)).toEqual([])
  })

  it('an empty volume and one with a single file of no bytes come back: their archives are equal byte for byte', async () => {
    for (const [text, script] of [
      ['none', 'true'],
      ['zero', ': > zero'],
    ] as const) {
      const [volume, copy] = [engine.name(text), engine.name(`${text}-copy`)]
      await engine.docker('volume', 'create', volume)
      await engine.inside(volume, script)
      const saved = await backup(provider, engine.system, volume, text)
      await restored(saved.source, copy, `${text}-back`)
      const again = await backup(provider, engine.system, copy, `${text}-again`)
      expect(again.items.map((item) => Buffer.from(item.bytes).toString('hex'))).toEqual(
        saved.items.map((item) => Buffer.from(item.bytes).toString('hex')),
      )
      expect(saved.items).toHaveLength(1)
    }
  })

  it('docker #13: labels, driver and options survive; a mark of an earlier restore is not inherited', async () => {
    const [volume, copy, second] = [engine.name('labels'), engine.name('labels-copy'), engine.name('labels-second')]
    await engine.docker(
      'volume',
      'create',
      '--label',
      'tier=critical',
      '--label',
      'com.docker.compose.project=shop',
      '--label',
      'odd=a"b$c ü',
      volume,
    )
    const saved = await backup(provider, engine.system, volume, 'labels')
    await restored(saved.source, copy, 'labels-back')
    const again = await backup(provider, engine.system, copy, 'labels-again')
    expect(JSON.stringify(again.result.description)).not.toContain('holdfast.')
    await restored(again.source, second, 'labels-second')
    const [inspected] = JSON.parse(await engine.docker('volume', 'inspect', second))
    expect(inspected).toMatchObject({
      Driver: 'local',
      Labels: { tier: 'critical', 'com.docker.compose.project': 'shop', odd: 'a"b$c ü', 'holdfast.run': 'labels-second' },
    })
  })

  it('docker #13 #19: options that name a place are recorded; the copy is made without them, with a warning, and with them when asked', async () => {
    const [place, volume, copy] = [engine.name('place'), engine.name('bound'), engine.name('bound-copy')]
    await engine.docker('volume', 'create', place)
    await engine.inside(place, 'echo live > data')
    const device = (await engine.docker('volume', 'inspect', '-f', '{{.Mountpoint}}', place)).trim()
    await engine.docker('volume', 'create', '-o', 'type=none', '-o', 'o=bind', '-o', `device=${device}`, volume)
    const saved = await backup(provider, engine.system, volume, 'bound')
    expect(saved.result.description).toMatchObject({ volume: { driver: 'local', options: { type: 'none', o: 'bind', device } } })
    const { context } = await restored(saved.source, copy, 'bound-back')
    expect(context.notes).toContainEqual(
      expect.objectContaining({ level: 'warning', code: 'OPTIONS_LEFT_OUT', message: expect.stringContaining(device) }),
    )
    expect(await listing(engine, copy)).toEqual(await listing(engine, place))
    const full = attempt({ provider, system: engine.system, run: 'bound-full' })
    const request = {
      purpose: 'recover',
      name: engine.name('bound-full'),
      start: false,
      options: { driverOptions: { type: 'none', o: 'bind', device } },
    } as const
    expect(await rejection(provider.restore(request, saved.source, full.run))).toMatchObject({
      code: 'NAME_TAKEN',
      message: expect.stringContaining('not empty'),
    })
    await full.undoOpen()
    expect(await engine.docker('volume', 'ls', '-q')).not.toContain(request.name)
    expect(await engine.inside(place, 'cat data')).toBe('live\n')
  })

  it('docker #19: a volume whose place is gone fails with the reason, and leaves nothing', async () => {
    const volume = engine.name('lost-place')
    await engine.docker('volume', 'create', '-o', 'type=none', '-o', 'o=bind', '-o', 'device=/nowhere/at/all', volume)
    const context = attempt({ provider, system: engine.system, run: 'lost-place' })
    const error = await rejection(provider.backup({ workload: volume, options: {} }, collectingSink().sink, context.run))
    expect(error).toMatchObject({ code: 'PROVIDER_FAILED', remedy: expect.stringContaining('mounted') })
    expect(error.message).toContain('/nowhere/at/all')
    await context.undoOpen()
    expect(await engine.marked()).toMatchObject({ containers: [], images: [] })
  })

  it('docker #18: a volume in memory is refused', async () => {
    const volume = engine.name('memory')
    await engine.docker('volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', volume)
    expect(await rejection(backup(provider, engine.system, volume, 'memory'))).toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining(volume),
    })
  })

  it('docker #25: a path is refused, a misspelt name is answered with the near ones', async () => {
    const volume = engine.name('shop-db')
    await engine.docker('volume', 'create', volume)
    expect(await rejection(backup(provider, engine.system, '/srv/data', 'path'))).toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining('/srv/data'),
    })
    const missing = await rejection(backup(provider, engine.system, `${volume}x`, 'missing'))
    expect(missing).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(`${volume}x`),
      remedy: expect.stringContaining(volume),
    })
    expect(await engine.docker('volume', 'ls', '-q')).not.toContain(`${volume}x`)
  })

  it('docker #24: inventory finds labels, driver, containers by their mounts, projects, and sizes only when asked', async () => {
    const volume = engine.name('inventory')
    await engine.docker('volume', 'create', '--label', 'tier=low', volume)
    await engine.inside(volume, 'head -c 100000 /dev/zero > f')
    await engine.docker(
      'create',
      '--name',
      `${engine.system}-odd-name`,
      '--label',
      'com.docker.compose.project=shop',
      '-v',
      `${volume}:/x`,
      facts.image,
      'true',
    )
    const one = async (from: typeof provider) => {
      const found = []
      for await (const workload of from.workloads({ signal, id: volume })) found.push(workload)
      return found
    }
    const [workload, ...more] = await one(provider)
    expect(more).toEqual([])
    expect(workload).toEqual({
      id: volume,
      name: volume,
      kind: 'volume',
      labels: { tier: 'low' },
      details: {
        driver: 'local',
        options: {},
        scope: 'local',
        containers: [{ name: `${engine.system}-odd-name`, state: 'created', project: 'shop' }],
        projects: ['shop'],
      },
    })
    const [sized] = await one(docker({ socketPath: facts.socket, volumeSizes: true }))
    expect(sized?.usedBytes).toBeGreaterThanOrEqual(100_000)
  })

  it('docker #24: a running user makes the backup fuzzy, with a note that names it, found by its mount', async () => {
    const volume = engine.name('used')
    await engine.docker('volume', 'create', volume)
    await engine.background(volume, 'sleep 600', 'some-other-name')
    const saved = await backup(provider, engine.system, volume, 'used')
    expect(saved.result.consistency).toBe('fuzzy')
    expect(saved.notes).toContainEqual(expect.objectContaining({ code: 'FUZZY', message: expect.stringContaining('some-other-name') }))
    expect(saved.notes.filter((note) => note.code === 'FIDELITY')).toHaveLength(1)
    await engine.docker('rm', '-f', `${engine.system}-some-other-name`)
  })

  it('a backup whose archive is read slowly holds up no other: the engine locks a container while its archive is open', async () => {
    const [slow, fast] = [engine.name('slow'), engine.name('fast')]
    await engine.docker('volume', 'create', slow)
    await engine.docker('volume', 'create', fast)
    await engine.inside(slow, 'dd if=/dev/zero of=zeros bs=1M count=40 2>/dev/null')
    const context = attempt({ provider, system: engine.system, run: 'slow' })
    let within: unknown
    const { sink, items } = collectingSink({
      async duringItem() {
        within = (await backup(provider, engine.system, fast, 'fast')).result.consistency
      },
    })
    await provider.backup({ workload: slow, options: {} }, sink, context.run)
    expect(within).toBe('off')
    expect(items[0]?.bytes.length).toBeGreaterThan(40 << 20)
  })

  it('docker #5 #6: files that grow, shrink and vanish while they are read give a whole archive or TRUNCATED, never a part as a whole', async () => {
    const volume = engine.name('restless')
    await engine.docker('volume', 'create', volume)
    await engine.inside(
      volume,
      'dd if=/dev/zero of=a-big bs=1M count=64 2>/dev/null; for i in 1 2 3; do echo $i > gone$i; done; echo last > z-last',
    )
    const context = attempt({ provider, system: engine.system, run: 'restless' })
    let size = 0
    const scanning: BackupSink = {
      blocks: async () => {},
      async stream(item) {
        const stream = await item.open({ signal })
        const scan = createTarScan({ contents: false })
        let first = true
        for await (const chunk of stream) {
          if (first) await engine.inside(volume, ': > a-big; rm gone2; echo more >> gone3')
          first = false
          size += chunk.length
          scan.push(chunk)
        }
        scan.finish()
        throw new Error('the archive was said to be whole')
      },
    }
    const error = await rejection(provider.backup({ workload: volume, options: {} }, scanning, context.run))
    expect(error).toMatchObject({ code: 'TRUNCATED', message: expect.stringContaining(volume), remedy: expect.any(String) })
    expect(size).toBeLessThan(64 << 20)
    await context.undoOpen()
    const again = await backup(provider, engine.system, volume, 'restless-again')
    expect(filesOfTar(again.items[0]?.bytes ?? new Uint8Array()).has('data/gone2')).toBe(false)
  })

  it('docker #8: memory does not grow with the volume', async () => {
    const volume = engine.name('large')
    await engine.docker('volume', 'create', volume)
    const run = async (mebibytes: number): Promise<number> => {
      await engine.inside(volume, `dd if=/dev/zero of=zeros bs=1M count=${mebibytes} 2>/dev/null`)
      const context = attempt({ provider, system: engine.system, run: `large-${mebibytes}` })
      let peak = 0
      const counting: BackupSink = {
        blocks: async () => {},
        async stream(item) {
          let size = 0
          for await (const chunk of await item.open({ signal })) {
            size += chunk.length
            peak = Math.max(peak, process.memoryUsage().rss)
          }
          return { size, sha256: '', kept: true }
        },
      }
      await provider.backup({ workload: volume, options: {} }, counting, context.run)
      return peak
    }
    const small = await run(32)
    expect((await run(512)) - small).toBeLessThan(100 << 20)
  })

  it('check says the version of the engine and makes nothing', async () => {
    const before = await engine.marked()
    expect(await provider.check({ signal })).toEqual([
      expect.objectContaining({ name: 'engine', status: 'ok', message: expect.stringContaining(facts.version) }),
    ])
    expect(await engine.marked()).toEqual(before)
  })
})
