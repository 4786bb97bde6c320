import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type FileSystem, nodeFileSystem, type PlanInput } from '@holdfast/core'
import type { HoldfastError } from '@holdfast/core/spec'
import { docker } from '@holdfast/provider-docker'
import { sqlite } from '@holdfast/store-sqlite'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { describeWithPeer } from '../../../../scripts/peers/test-peers.ts'
import { realEngine } from '../../../provider-docker/test/support/real-engine.ts'
import { deadSocket, type ErrorWorld, errorWorld, plan, recorder, rejection } from './error-situations.ts'

/** What must be told: the code, each offending value in the message, and what the remedy names. */
interface Told {
  readonly code: string
  readonly message: readonly string[]
  readonly remedy: RegExp
}

const table = [
  'wrong socket',
  'engine not running',
  'volume missing',
  'volume in use',
  'repository not writable',
  'repository mounted read-only',
  'disk full',
  'unmounted repository: the folder is not there',
  'unmounted repository: the folder is empty',
  'foreign owner',
  'misspelt plan key',
  'misspelt provider option',
  'database locked',
  'database newer',
  'manifest edited by hand',
]
const recorded = recorder(table)

function check(
  situation: string,
  error: HoldfastError,
  told: Told,
  world: ErrorWorld,
  more: readonly (readonly [string, string])[] = [],
): void {
  expect(error.code, error.message).toBe(told.code)
  for (const part of told.message) expect(error.message).toContain(part)
  expect(error.remedy).toMatch(told.remedy)
  const names = new Map([[world.repositoryFolder, '/srv/backup'], [world.folder, '/var/lib/holdfast'], ...more])
  recorded.check(situation, error, names)
}

const dockerPlan = (id: string): PlanInput => ({ kind: 'backup', repository: 'main', workloads: [{ provider: 'docker', id }] })

/** The real file system, in which writing fails as the kernel fails it. */
function failingWrites(errno: 'EROFS' | 'EACCES' | 'ENOSPC'): FileSystem {
  const real = nodeFileSystem()
  const fail = (syscall: string, path: string) => Object.assign(new Error(`${errno}: ${syscall} '${path}'`), { code: errno, syscall, path })
  return {
    ...real,
    async checkWritable(path) {
      if (errno !== 'ENOSPC') throw fail('access', path)
      await real.checkWritable(path)
    },
    async open(path, how) {
      if (how === 'read' || how === 'folder') return real.open(path, how)
      if (errno !== 'ENOSPC') throw fail('open', path)
      const file = await real.open(path, how)
      return {
        ...file,
        write: async () => {
          throw fail('write', path)
        },
      }
    },
  }
}

describe('errors of a platform', () => {
  it('wrong socket', async () => {
    const world = errorWorld()
    const socketPath = join(world.folder, 'docker.sock')
    const engine = await world.engine({ providers: { docker: docker({ socketPath }) }, plans: { nightly: dockerPlan('shop-db') } })
    const error = await rejection(engine.runPlan('nightly'))
    check('wrong socket', error, { code: 'UNREACHABLE', message: [socketPath], remedy: /docker\(\{ socketPath \}\)/ }, world, [
      ['/var/lib/holdfast/docker.sock', '/run/docker.sock'],
    ])
  })

  it('engine not running', async () => {
    const world = errorWorld()
    const socketPath = join(world.folder, 'docker.sock')
    await deadSocket(socketPath)
    const engine = await world.engine({ providers: { docker: docker({ socketPath }) }, plans: { nightly: dockerPlan('shop-db') } })
    const error = await rejection(engine.runPlan('nightly'))
    check(
      'engine not running',
      error,
      { code: 'UNREACHABLE', message: [socketPath, 'refused'], remedy: /Start the Docker engine/ },
      world,
      [['/var/lib/holdfast/docker.sock', '/run/docker.sock']],
    )
  })

  it('misspelt provider option', async () => {
    const world = errorWorld()
    const options = { socketPath: join(world.folder, 'docker.sock') }
    const engine = await world.engine({ providers: { docker: docker(options) }, plans: {} })
    const restoring = engine.restore({ provider: 'docker', id: 'shop-db' }, { options: { replce: true } })
    const error = await rejection(restoring)
    check(
      'misspelt provider option',
      error,
      { code: 'INVALID_OPTIONS', message: ['replce', 'docker restore options'], remedy: /Did you mean "replace"/ },
      world,
    )
  })
})

describeWithPeer('docker', 'errors of a real Docker engine', (facts) => {
  const real = realEngine(facts)
  afterAll(() => real.removeAll())

  it('volume missing', async () => {
    const world = errorWorld()
    const engine = await world.engine({
      providers: { docker: docker({ socketPath: facts.socket }) },
      plans: { nightly: dockerPlan('holdfast-no-such-volume') },
    })
    const error = await rejection(engine.runPlan('nightly'))
    check(
      'volume missing',
      error,
      { code: 'NOT_FOUND', message: ['holdfast-no-such-volume', 'docker'], remedy: /Use an id as the list/ },
      world,
    )
  })

  it('volume in use', async () => {
    const world = errorWorld()
    const volume = real.name('shop-db')
    await real.docker('volume', 'create', volume)
    await real.inside(volume, 'echo precious > precious')
    const engine = await world.engine({
      providers: { docker: docker({ socketPath: facts.socket }) },
      plans: { nightly: dockerPlan(volume) },
    })
    await engine.runPlan('nightly')
    await real.background(volume, 'sleep 600', 'writer')
    const restoring = engine.restore({ provider: 'docker', id: volume }, { target: volume, options: { replace: true } })
    const error = await rejection(restoring)
    expect(await real.inside(volume, 'cat precious')).toBe('precious\n')
    const told = { code: 'IN_USE', message: [volume, `${real.system}-writer`], remedy: /[Ss]top/ }
    check('volume in use', error, told, world, [[`${real.system}-`, '']])
  }, 120_000)
})

describe('errors of a repository', () => {
  it('repository not writable', async () => {
    const world = errorWorld()
    await (await world.engine()).runPlan('nightly')
    const engine = await world.engine({ fileSystem: failingWrites('EACCES') })
    const error = await rejection(engine.runPlan('nightly'))
    const told = { code: 'REPOSITORY_NOT_WRITABLE', message: [world.repositoryFolder, 'EACCES'], remedy: /owner and mode/ }
    check('repository not writable', error, told, world)
  })

  it('repository mounted read-only', async () => {
    const world = errorWorld()
    await (await world.engine()).runPlan('nightly')
    const engine = await world.engine({ fileSystem: failingWrites('EROFS') })
    const error = await rejection(engine.runPlan('nightly'))
    const told = { code: 'REPOSITORY_NOT_WRITABLE', message: [world.repositoryFolder, 'read-only', 'EROFS'], remedy: /read-only/ }
    check('repository mounted read-only', error, told, world)
  })

  it('disk full', async () => {
    const world = errorWorld()
    await (await world.engine()).runPlan('nightly')
    const engine = await world.engine({ fileSystem: failingWrites('ENOSPC') })
    const error = await rejection(engine.runPlan('nightly'))
    check('disk full', error, { code: 'DISK_FULL', message: [world.repositoryFolder, 'space'], remedy: /Free space/ }, world)
    expect((await engine.verify({ repository: 'main', mode: 'quick' })).findings).toEqual([])
  })

  it('unmounted repository: the folder is not there', async () => {
    const world = errorWorld()
    const engine = await world.engine()
    await engine.runPlan('nightly')
    await rename(world.repositoryFolder, `${world.repositoryFolder}.away`)
    const error = await rejection(engine.runPlan('nightly'))
    const told = { code: 'REPOSITORY_MISSING', message: [world.repositoryFolder], remedy: /Mount/ }
    check('unmounted repository: the folder is not there', error, told, world)
  })

  it('unmounted repository: the folder is empty', async () => {
    const world = errorWorld()
    const engine = await world.engine()
    await engine.runPlan('nightly')
    await rename(world.repositoryFolder, `${world.repositoryFolder}.away`)
    await mkdir(world.repositoryFolder)
    const error = await rejection(engine.runPlan('nightly'))
    const told = { code: 'REPOSITORY_MISSING', message: ['"main"', 'not mounted'], remedy: /Mount/ }
    check('unmounted repository: the folder is empty', error, told, world)
    expect(await readdir(world.repositoryFolder)).toEqual([])
  })

  it('foreign owner', async () => {
    const world = errorWorld()
    await (await world.engine()).runPlan('nightly')
    const engine = await world.engine({ store: sqlite({ file: join(world.folder, 'other.db') }) })
    const error = await rejection(engine.runPlan('nightly'))
    const { owner } = JSON.parse(await readFile(join(world.repositoryFolder, 'repository.json'), 'utf8'))
    const told = { code: 'FOREIGN_OWNER', message: ['"main"', owner], remedy: new RegExp(`takeOver: '${owner}'`) }
    check('foreign owner', error, told, world, [
      [owner, '<other catalog>'],
      [/this catalog is ([0-9a-f]+)/.exec(error.message)?.[1] ?? 'no id', '<this catalog>'],
    ])
  })

  it('manifest edited by hand', async () => {
    const world = errorWorld()
    const engine = await world.engine()
    const [made] = await engine.runPlan('nightly')
    const found = (await readdir(world.repositoryFolder, { recursive: true })).find((path) => path.endsWith('manifest.1.json')) ?? ''
    const path = join(world.repositoryFolder, found)
    await writeFile(path, (await readFile(path, 'utf8')).replace('"consistency": "off"', '"consistency": "application"'))
    const restoring = engine.restore({ provider: 'files', id: 'shop-db' }, { point: made?.point ?? '', name: 'copy' })
    const error = await rejection(restoring)
    check('manifest edited by hand', error, { code: 'POINT_DAMAGED', message: [found, 'edited by hand'], remedy: /another point/ }, world)
    const { findings } = await engine.verify({ repository: 'main' })
    expect(findings).toMatchObject([{ point: made?.point, file: found, message: expect.stringContaining('edited by hand') }])
  })
})

describe('errors of what is given to createEngine', () => {
  it('misspelt plan key', async () => {
    const world = errorWorld()
    const { workloads, ...rest } = plan
    const error = await rejection(world.engine({ plans: { nightly: { ...rest, workload: workloads } as unknown as PlanInput } }))
    check('misspelt plan key', error, { code: 'INVALID_OPTIONS', message: ['"nightly"', 'workload', 'workloads'], remedy: /\S/ }, world)
  })

  it('database locked', async () => {
    const world = errorWorld()
    await (await world.engine()).stop()
    const other = new DatabaseSync(world.catalog)
    onTestFinished(() => other.close())
    other.exec('begin exclusive')
    const error = await rejection(world.engine())
    check('database locked', error, { code: 'DATABASE_LOCKED', message: [world.catalog], remedy: /Close the program/ }, world)
  })

  it('database newer', async () => {
    const world = errorWorld()
    await (await world.engine()).stop()
    const other = new DatabaseSync(world.catalog)
    other.exec("update holdfast_meta set value = '9999' where name = 'schema'")
    other.close()
    const error = await rejection(world.engine())
    check('database newer', error, { code: 'STORE_NEWER', message: [world.catalog, '9999'], remedy: /Update Holdfast/ }, world)
  })
})

describeWithPeer('root', 'the same on a real small disk', () => {
  const mounted = (world: ErrorWorld, size: string) => {
    execFileSync('mkdir', ['-p', world.repositoryFolder])
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'holdfast-test', world.repositoryFolder])
    onTestFinished(() => void execFileSync('umount', [world.repositoryFolder]))
  }

  it('a full disk is DISK_FULL, a read-only mount is REPOSITORY_NOT_WRITABLE, in the same words', async () => {
    const world = errorWorld()
    mounted(world, '300k')
    const engine = await world.engine()
    await engine.runPlan('nightly')
    execFileSync('sh', ['-c', 'dd if=/dev/zero of="$0/filler" bs=4k 2>/dev/null || true', world.repositoryFolder])
    check('disk full', await rejection(engine.runPlan('nightly')), { code: 'DISK_FULL', message: [], remedy: /Free space/ }, world)
    execFileSync('rm', [join(world.repositoryFolder, 'filler')])
    execFileSync('mount', ['-o', 'remount,ro', world.repositoryFolder])
    const told = { code: 'REPOSITORY_NOT_WRITABLE', message: [], remedy: /read-only/ }
    check('repository mounted read-only', await rejection(engine.runPlan('nightly')), told, world)
    execFileSync('mount', ['-o', 'remount,rw', world.repositoryFolder])
    await engine.runPlan('nightly')
    expect((await engine.verify({ repository: 'main' })).findings).toEqual([])
  })
})

describe('docs/error-messages.json', () => {
  it('has each situation, in the order of the table', async () => {
    await recorded.finish()
  })
})
