import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BackupSink, HoldfastError } from '@holdfast/core/spec'
import { collectingSink, memoryRunContext } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { json } from '../test/support/fake-engine.ts'
import { archive, closers, rejection, signal, withEngine } from '../test/support/with-engine.ts'
import { docker } from './index.ts'

describe('an engine that cannot be reached', () => {
  const backup = (socketPath: string) => {
    const provider = docker({ socketPath })
    return provider.backup({ workload: 'shop-db', options: {} }, collectingSink().sink, memoryRunContext({ provider }).run)
  }
  const folder = async () => {
    const path = await mkdtemp(join(tmpdir(), 'no-engine-'))
    closers.push(() => rm(path, { recursive: true, force: true }))
    return path
  }

  it('a socket that is not there is UNREACHABLE and named', async () => {
    const path = join(await folder(), 'none.sock')
    expect(await rejection(backup(path))).toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining(path),
      remedy: expect.stringContaining('socketPath'),
    })
  })

  it('a socket nobody listens on is UNREACHABLE with the remedy to start the engine', async () => {
    const path = join(await folder(), 'dead.sock')
    const server = net.createServer()
    await new Promise<void>((resolve) => server.listen(path, resolve))
    // Closing would remove the file: a crashed engine leaves it.
    const { renameSync } = await import('node:fs')
    renameSync(path, `${path}.kept`)
    await new Promise((resolve) => server.close(resolve))
    renameSync(`${path}.kept`, path)
    expect(await rejection(backup(path))).toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('not running'),
      remedy: expect.stringContaining('Start'),
    })
  })

  it('a socket without permission is ACCESS_DENIED with the remedy', async () => {
    const { connectionError } = await import('./engine-errors.ts')
    const error = connectionError(Object.assign(new Error('connect EACCES'), { code: 'EACCES' }), {
      socketPath: '/run/x.sock',
      what: 'listing volumes',
    })
    expect(error).toMatchObject({
      code: 'ACCESS_DENIED',
      message: expect.stringContaining('/run/x.sock'),
      remedy: expect.stringContaining('group'),
    })
  })

  it('a file or a folder in its place is told from an engine that is not running', async () => {
    const path = await folder()
    const file = join(path, 'file')
    await writeFile(file, '')
    for (const [given, what] of [
      [path, 'a folder'],
      [file, 'a file'],
    ] as const)
      expect(await rejection(backup(given))).toMatchObject({
        code: 'UNREACHABLE',
        retryable: false,
        message: expect.stringContaining(`${given} is ${what}, not a socket`),
        remedy: expect.stringContaining('socketPath'),
      })
    expect(await rejection(backup(join(file, 'x')))).toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('no Docker socket'),
    })
  })

  it('something else on the socket is told from an engine', async () => {
    const path = join(await folder(), 'other.sock')
    const server = net.createServer((socket) => socket.end('220 mail.example.org ESMTP\r\n'))
    await new Promise<void>((resolve) => server.listen(path, resolve))
    closers.push(async () => void server.close())
    expect(await rejection(backup(path))).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: false,
      message: expect.stringContaining('not a Docker engine'),
    })
  })

  it('check reports it instead of throwing', async () => {
    const path = join(await folder(), 'none.sock')
    expect(await docker({ socketPath: path }).check({ signal })).toEqual([
      expect.objectContaining({ status: 'error', message: expect.stringContaining(path) }),
    ])
  })

  it('an engine that is silent is STALLED, and abort is heard at once', async () => {
    const { provider } = await withEngine({ routes: { 'GET /version': () => {} } }, { requestIdleMs: 50 })
    expect((await provider.check({ signal }))[0]?.details).toMatchObject({ code: 'STALLED' })
    const { provider: patient } = await withEngine({ routes: { 'GET /version': () => {} } })
    const controller = new AbortController()
    const answer = rejection(patient.check({ signal: controller.signal }) as Promise<unknown>)
    controller.abort()
    expect(await answer).toMatchObject({ code: 'ABORTED' })
  })
})

describe('version of the API', () => {
  const spoken = async (ApiVersion: string, MinAPIVersion: string) => {
    const { engine, provider } = await withEngine({ version: { ApiVersion, MinAPIVersion } })
    const [check] = await provider.check({ signal })
    return { check, paths: engine.requests.filter((line) => line.includes('/volumes')) }
  }
  it('is 1.41, or the nearest the engine speaks', async () => {
    expect((await spoken('1.41', '1.12')).paths).toEqual(['GET /v1.41/volumes'])
    expect((await spoken('1.47', '1.24')).paths).toEqual(['GET /v1.41/volumes'])
    expect((await spoken('1.52', '1.44')).paths).toEqual(['GET /v1.44/volumes'])
    expect((await spoken('1.40', '1.12')).paths).toEqual(['GET /v1.40/volumes'])
  })
  it('an engine that is too old is UNSUPPORTED', async () => {
    expect((await spoken('1.39', '1.12')).check).toMatchObject({ status: 'error', details: { code: 'UNSUPPORTED' } })
  })
})

describe('a backup', () => {
  it('makes a helper that is never started: no network, no log, volume read-only, nothing copied into it', async () => {
    const made: unknown[] = []
    const { engine, provider, context } = await withEngine({
      routes: {
        'POST /containers/create': (_, response, body) => {
          made.push(JSON.parse(body.toString()))
          json(response, 201, { Id: 'c1' })
        },
        'GET /containers/c1/archive': (_, response) => response.end(archive),
      },
    })
    const { sink, items } = collectingSink()
    await provider.backup({ workload: 'shop-db', options: {} }, sink, context.run)
    expect(made).toMatchObject([
      {
        HostConfig: {
          NetworkMode: 'none',
          LogConfig: { Type: 'none' },
          Mounts: [{ Type: 'volume', Source: 'shop-db', Target: '/data', ReadOnly: true, VolumeOptions: { NoCopy: true } }],
        },
        Labels: {
          'holdfast.system': 'testkit',
          'holdfast.plan': 'contract',
          'holdfast.run': 'run1',
          'holdfast.attempt': '1',
          'holdfast.unfinished': 'true',
        },
      },
    ])
    expect(engine.requests.some((line) => line.includes('/start'))).toBe(false)
    expect(items).toMatchObject([{ name: 'shop-db.tar', format: 'tar' }])
    expect(Buffer.from(items[0]?.bytes ?? []).equals(archive)).toBe(true)
  })

  it('docker #20: a connection cut in the middle of the archive fails', async () => {
    const { provider, context } = await withEngine({
      routes: {
        'GET /containers/c1/archive': (_, response) => {
          response.write(archive.subarray(0, 50_000), () => response.destroy())
        },
      },
    })
    expect(await rejection(provider.backup({ workload: 'shop-db', options: {} }, collectingSink().sink, context.run))).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: true,
      message: expect.stringContaining('reading volume shop-db'),
    })
    expect(context.intents).toHaveLength(1)
  })

  it('docker #6: an archive without its end names the volume and who could write to it', async () => {
    const user = { Id: 'u1', Names: ['/shop-web'], State: 'running', Mounts: [{ Type: 'volume', Name: 'shop-db' }] }
    const { provider, context } = await withEngine({
      containers: [user],
      routes: { 'GET /containers/c1/archive': (_, response) => response.end(archive.subarray(0, 70_000)) },
    })
    const strict: BackupSink = {
      blocks: async () => {},
      stream: async (item) => {
        for await (const _ of await item.open({ signal }));
        throw new HoldfastError('TRUNCATED', 'no end marks')
      },
    }
    expect(await rejection(provider.backup({ workload: 'shop-db', options: {} }, strict, context.run))).toMatchObject({
      code: 'TRUNCATED',
      message: expect.stringMatching(/shop-db.*shop-web/),
      remedy: expect.stringContaining('shop-web'),
    })
  })

  it('docker #7: an archive of nothing is no backup', async () => {
    const { provider, context } = await withEngine({
      routes: { 'GET /containers/c1/archive': (_, response) => response.end(Buffer.alloc(1024)) },
    })
    expect(await rejection(provider.backup({ workload: 'shop-db', options: {} }, collectingSink().sink, context.run))).toMatchObject({
      code: 'TRUNCATED',
    })
  })

  it('docker #11: an engine without space says so with a remedy', async () => {
    const { provider, context } = await withEngine({
      routes: { 'POST /containers/create': (_, response) => json(response, 500, { message: 'mkdir x: no space left on device' }) },
    })
    expect(await rejection(provider.backup({ workload: 'shop-db', options: {} }, collectingSink().sink, context.run))).toMatchObject({
      code: 'PROVIDER_FAILED',
      remedy: expect.stringContaining('Free space'),
    })
  })

  it('a volume that vanished before the helper held it is NOT_FOUND, not an empty backup', async () => {
    let labels: object | undefined
    const { provider, context } = await withEngine({
      routes: {
        'POST /containers/create': (_, response, body) => {
          labels = JSON.parse(body.toString()).HostConfig.Mounts[0].VolumeOptions.Labels
          json(response, 201, { Id: 'c1' })
        },
        'GET /volumes/': (_, response) => json(response, 200, { Name: 'shop-db', Driver: 'local', ...(labels && { Labels: labels }) }),
      },
    })
    expect(await rejection(provider.backup({ workload: 'shop-db', options: {} }, collectingSink().sink, context.run))).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('removed'),
    })
  })

  it('answers that are no JSON, or half of one, are errors', async () => {
    for (const text of ['', '{"Volumes": [{"Name":', '{"Volumes": 7}', '[]']) {
      const { provider } = await withEngine({ routes: { 'GET /volumes': (_, response) => response.end(text) } })
      expect((await provider.check({ signal }))[0]).toMatchObject({ status: 'error', details: { code: 'PROVIDER_FAILED' } })
    }
  })

  it('no password of a share gets into the description', async () => {
    const Options = { type: 'cifs', device: '//nas/x', o: 'username=bob,password=canary-1,vers=3', 'driver-token': 'canary-2' }
    const { provider, context } = await withEngine({
      volumes: [{ Name: 'shop-db', Driver: 'local', Options }],
      routes: { 'GET /containers/c1/archive': (_, response) => response.end(archive) },
    })
    const result = await provider.backup({ workload: 'shop-db', options: {} }, collectingSink().sink, context.run)
    expect(JSON.stringify(result)).not.toContain('canary')
    expect(result.description).toMatchObject({ volume: { options: { device: '//nas/x', o: 'username=bob,password=***,vers=3' } } })
  })
})

describe('options', () => {
  const provider = docker({ socketPath: '/nowhere' })
  const refused = (use: 'backup' | 'restore' | 'probe', input: unknown): HoldfastError => {
    try {
      provider.parseOptions?.(use, input)
    } catch (error) {
      if (HoldfastError.isInstance(error)) return error
    }
    throw new Error('expected a refusal')
  }
  it('none are fine', () => {
    expect(provider.parseOptions?.('backup', undefined)).toEqual({})
    expect(provider.parseOptions?.('restore', null)).toEqual({})
    expect(provider.parseOptions?.('restore', { replace: true, driverOptions: { type: 'nfs' } })).toEqual({
      replace: true,
      driverOptions: { type: 'nfs' },
    })
  })
  it('of docker(): a misspelt one is refused with the one that was meant', () => {
    expect(() => docker({ socketpath: '/x' } as object)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTIONS',
        message: 'docker: socketpath is not known here; known: socketPath, volumeSizes, requestIdleMs, fillIdleMs',
        remedy: 'Did you mean "socketPath"?',
      }),
    )
  })
  it('of docker(): socketPath may begin with unix://, and other addresses are refused', async () => {
    const [check] = await docker({ socketPath: 'unix:///nowhere/docker.sock' }).check({ signal })
    expect(check?.details).toMatchObject({ socketPath: '/nowhere/docker.sock' })
    for (const socketPath of ['tcp://10.0.0.1:2375', 'http://localhost', 'ssh://root:hunter2@host'])
      expect(() => docker({ socketPath })).toThrow(/^docker: socketPath is "(?!.*hunter2).*": only a unix socket of this host can be used$/)
    for (const socketPath of ['', 'unix://']) expect(() => docker({ socketPath })).toThrow(/expected the path of a unix socket/)
  })
  it('a misspelt one is refused with its path and the known ones', () => {
    expect(refused('restore', { replcae: true })).toMatchObject({
      code: 'INVALID_OPTIONS',
      message: 'docker restore options: replcae is not known here; known: replace, driver, driverOptions, labels',
      remedy: 'Did you mean "replace"?',
    })
    expect(refused('restore', { driverOptions: { size: 7 } })).toMatchObject({
      message: expect.stringContaining('driverOptions.size is 7'),
    })
    expect(refused('backup', { pause: true })).toMatchObject({
      message: expect.stringContaining('docker backup options: pause is not known here'),
    })
    expect(refused('probe', {})).toMatchObject({ code: 'UNSUPPORTED' })
  })
  it('of the provider itself are strict too', () => {
    expect(() => docker({ socket: '/x' } as object)).toThrow(/socket/)
    expect(() => docker({ requestIdleMs: 0 })).toThrow(/requestIdleMs/)
  })
})

describe('undo', () => {
  const mark = { system: 's', plan: 'p', run: 'r', attempt: 1 }
  it('passes on that the engine refuses, so that the intent stays open', async () => {
    const { provider } = await withEngine({
      containers: [{ Id: 'h1', Names: ['/holdfast-h'], State: 'created', Labels: {} }],
      routes: { 'DELETE /containers': (_, response) => json(response, 500, { message: 'device or resource busy' }) },
    })
    const intent = {
      id: '1',
      provider: 'docker',
      kind: 'remove-helper',
      data: { helper: 'holdfast-h', image: 'i', volume: 'v' },
      mark,
      kept: false,
    }
    expect(await rejection(provider.undo(intent, { signal }))).toMatchObject({ code: 'PROVIDER_FAILED', retryable: true })
  })
  it('an intent of a later version is refused', async () => {
    const { provider } = await withEngine()
    expect(
      await rejection(provider.undo({ id: '1', provider: 'docker', kind: 'start-containers', data: {}, mark, kept: false }, { signal })),
    ).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('start-containers') })
  })
  it('prunes by all labels of the attempt and the volume, with the filter that newer engines need', async () => {
    for (const [ApiVersion, MinAPIVersion, all] of [
      ['1.41', '1.12', undefined],
      ['1.52', '1.44', ['true']],
    ] as const) {
      const labels = { 'holdfast.system': 's', 'holdfast.plan': 'p', 'holdfast.run': 'r', 'holdfast.attempt': '1' }
      const { engine, provider } = await withEngine({
        version: { ApiVersion, MinAPIVersion },
        volumes: [{ Name: 'vol', Driver: 'local', Labels: labels }],
        routes: { 'POST /volumes/prune': (_, response) => json(response, 200, {}) },
      })
      await provider.undo({ id: '1', provider: 'docker', kind: 'remove-volume', data: { volume: 'vol' }, mark, kept: false }, { signal })
      const line = engine.requests.find((request_) => request_.includes('/volumes/prune')) ?? ''
      expect(JSON.parse(new URL(`http://x${line.split(' ')[1]}`).searchParams.get('filters') ?? '')).toEqual({
        label: ['holdfast.system=s', 'holdfast.run=r', 'holdfast.attempt=1', 'holdfast.volume=vol'],
        ...(all && { all }),
      })
    }
  })
})

it('no connection stays open behind a call', async () => {
  const { provider } = await withEngine()
  await provider.check({ signal })
  const open = Object.keys(http.globalAgent.sockets).length + Object.keys(http.globalAgent.freeSockets).length
  expect(open).toBe(0)
})
