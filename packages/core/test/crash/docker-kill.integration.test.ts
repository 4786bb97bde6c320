import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithPeer } from '../../../../scripts/peers/test-peers.ts'
import { bundleChild } from './bundle.ts'
import { type DockerOperation, type DockerWorld, openDockerEngine, restoredName, workloadOf } from './docker-world.ts'
import { checkFiles, same } from './invariants.ts'
import { chosenPoints, countsOf, harness, seed, tryAll } from './kill-points.ts'
import { runKey } from './world.ts'
import { catalogState, repositoryState } from './world-state.ts'

const run = promisify(execFile)
const sample = 3
const hour = 3_600_000

describeWithPeer('docker', `a process that is killed on a real Docker engine (HOLDFAST_SEED=${seed})`, ({ socket, image }) => {
  const mark = `crash-${randomBytes(5).toString('hex')}`
  const volume = `${mark}-data`
  let base: string
  let script: string
  let template: DockerWorld
  const digests: string[] = []

  const client = async (...words: readonly string[]): Promise<string> =>
    (await run('docker', ['-H', `unix://${socket}`, ...words], { maxBuffer: 16 << 20 })).stdout
  const lines = async (...words: readonly string[]) => (await client(...words)).split('\n').filter((line) => line !== '')
  /** In a container of busybox: a second program that shares no code with the provider. */
  const inside = (name: string, command: string) =>
    client('run', '--rm', '--network', 'none', '--log-driver', 'none', '-v', `${name}:/v`, '-w', '/v', image, 'sh', '-ec', command)
  const digestOf = (name: string) => inside(name, 'find . -type f | sort | xargs sha256sum; find . | sort | xargs stat -c "%n %F %a %u"')

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'holdfast-docker-kill-'))
    script = await bundleChild(base, 'docker-child')
    template = { folder: join(base, 'template'), socketPath: socket, system: mark, volume }
    await mkdir(template.folder)
    await client('volume', 'create', volume)
    const engine = await openDockerEngine(template, 'first')
    await engine.start()
    for (const text of ['one', 'two']) {
      await inside(volume, `mkdir -p d; echo ${text} > d/file; head -c 300000 /dev/urandom > ${text}`)
      digests.push(await digestOf(volume))
      await engine.run({ key: text, operation: 'backup', repository: 'main', workload: workloadOf(template) })
    }
    await engine.stop()
    await inside(volume, 'echo three > d/file')
    digests.push(await digestOf(volume))
  })
  afterAll(async () => {
    const volumes = await lines('volume', 'ls', '-q', '--filter', `name=${mark}`)
    if (volumes.length > 0) await client('volume', 'rm', '-f', ...volumes)
    await rm(base, { recursive: true, force: true })
  })

  let count = 0
  async function copy(): Promise<DockerWorld> {
    const number = ++count
    const folder = join(base, `world-${number}`)
    await cp(template.folder, folder, { recursive: true, verbatimSymlinks: true })
    return { ...template, folder, system: `${mark}-${number}` }
  }
  const argumentsIn = (world: DockerWorld, operation: DockerOperation) => [JSON.stringify(world), operation, join(base, 'compiled')]

  /** Everything of one world's system on the engine, and what an outsider would see of it. */
  async function stateOf({ folder, system }: DockerWorld) {
    const label = ['--filter', `label=holdfast.system=${system}`]
    return {
      repository: await repositoryState(join(folder, 'repository')),
      catalog: catalogState(folder),
      containers: await lines('ps', '-a', '-q', ...label),
      images: await lines('images', '-a', '-q', ...label),
      volumes: await lines('volume', 'ls', '-q', ...label),
    }
  }

  async function recover(world: DockerWorld, node: string) {
    const engine = await openDockerEngine(world, node)
    await engine.start()
    await engine.idle()
    await engine.stop()
    return stateOf(world)
  }

  async function checkRecovered(world: DockerWorld, operation: DockerOperation): Promise<void> {
    const recovered = await recover(world, 'second')
    const asked = recovered.catalog.runs?.some((row) => row.key === runKey) ?? false
    expect(recovered.catalog.runs?.map(({ state, lease_until }) => ({ state, lease_until }))).toEqual(
      recovered.catalog.runs?.map(() => ({ state: 'succeeded', lease_until: null })),
    )
    const { containers, images, volumes } = recovered
    const delivered = operation === 'restore' && asked ? [restoredName(world)] : []
    expect({ containers, images, volumes }).toEqual({ containers: [], images: [], volumes: delivered })
    await checkFiles(world.folder)
    same(recovered, await recover(world, 'third'), 'a second recovery')
    await checkBytes(world, operation, asked)
  }

  /** Every point verifies; the newest one, or what was restored, is byte for byte what the volume held. */
  async function checkBytes(world: DockerWorld, operation: DockerOperation, asked: boolean): Promise<void> {
    const engine = await openDockerEngine(world, 'fourth')
    try {
      await engine.start()
      expect((await engine.points({ repository: 'main' })).length).toBe(operation === 'backup' && asked ? 3 : 2)
      expect((await engine.verify({ repository: 'main' })).findings).toEqual([])
      if (operation === 'restore' && asked) expect(await digestOf(restoredName(world))).toBe(digests[1])
      const { workload } = await engine.restore(workloadOf(world), { name: `${world.system}-check` })
      expect(await digestOf(workload)).toBe(digests[operation === 'backup' && asked ? 2 : 1])
    } finally {
      await engine.stop()
    }
    await client('volume', 'rm', ...(await stateOf(world)).volumes)
  }

  for (const operation of ['backup', 'restore'] as const) {
    it(`${operation}: one recovery leaves no helper, image or volume of ours, wherever it died`, { timeout: hour }, async () => {
      const dry = await copy()
      const points = await harness.recordPoints(script, argumentsIn(dry, operation))
      if (operation === 'restore') await client('volume', 'rm', restoredName(dry))
      const chosen = chosenPoints(points, sample)
      const failures = await tryAll(chosen, async (point) => {
        const world = await copy()
        const { output } = await harness.runKilledAt(script, argumentsIn(world, operation), point)
        expect(output).toBe('')
        await checkRecovered(world, operation)
        await rm(world.folder, { recursive: true })
      })
      process.stdout.write(`killed in ${operation} on Docker: ${countsOf(points)}; tried ${chosen.length}\n`)
      expect(failures).toEqual([])
    })
  }
})
