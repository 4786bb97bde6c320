// The code and the output of docs/guide/back-up-esxi.md, restore-to-another-host.md, make-a-test-clone.md and free-esxi-licence.md, on simulated hosts.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createEngine, type Engine, formatBytes, localRepository, type PlanInput } from '@holdfast/core'
import type { HoldfastError } from '@holdfast/core/spec'
import { esxi, examineHost, readHostCertificate } from '@holdfast/provider-esxi'
import { sqlite } from '@holdfast/store-sqlite'
import {
  type EsxiSimulator,
  type EsxiSimulatorOptions,
  memoryMappedBlocks,
  readBlocks,
  seededRandom,
  startEsxiSimulator,
} from '@holdfast/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const signal = AbortSignal.timeout(3_600_000)
const user = 'backup'
const password = 'of the account'
const uuid = '4203a1d0-0000-4000-8000-00000000000a'
const web = { provider: 'esx', id: uuid }
const mebibyte = 1 << 20
const random = seededRandom(7)

let folder = ''
let printed: string[] = []
const print = (text: string) => void printed.push(...text.split('\n'))
const open: AsyncDisposable[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-guides-'))
  printed = []
})
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const pageOf = (name: string) => readFile(fileURLToPath(new URL(`../docs/guide/${name}.md`, import.meta.url)), 'utf8')

/** The page shows what these tests print; it must stay what they print, `same` apart. */
async function expectShown(page: string, name: string, lines: readonly string[], same = (line: string) => line): Promise<void> {
  const block = new RegExp(`<!-- output: ${name} -->\n\`\`\`\n([\\s\\S]*?)\`\`\``).exec(await pageOf(page))?.[1]
  expect(lines.map(same)).toEqual((block ?? '').trimEnd().split('\n').map(same))
}

/** Simulated hosts have no names. */
const asNamed = (line: string): string => line.replaceAll(/127\.0\.0\.1:\d+/g, 'esxi.example')

/** 8 MiB, of which 2 MiB cannot be packed. */
function disk(): Uint8Array {
  const content = new Uint8Array(8 * mebibyte)
  content.set(random.bytes(2 * mebibyte), mebibyte)
  return content
}

const machines = () => [
  { name: 'web', uuid, firmware: 'efi', powerState: 'poweredOn', disks: [{ content: disk() }, { content: disk() }] } as const,
  { name: 'old', uuid: '4203a1d0-0000-4000-8000-00000000000b', tpm: true },
]

async function startHost(options: EsxiSimulatorOptions = { machines: machines() }): Promise<EsxiSimulator> {
  const host = await startEsxiSimulator({ user, password, ...options })
  open.push(host)
  return host
}

const loginOf = ({ host, port, thumbprint }: EsxiSimulator) => ({ host, port, user, password, thumbprint: thumbprint() })

async function openEngine(hosts: { readonly [name: string]: EsxiSimulator }, plans: { readonly [name: string]: PlanInput }) {
  const engine = await createEngine({
    name: 'shop-backup',
    store: sqlite({ file: join(folder, `catalog-${open.length}.db`) }),
    repositories: { main: localRepository({ folder: join(folder, 'points') }) },
    providers: Object.fromEntries(Object.entries(hosts).map(([name, host]) => [name, esxi(loginOf(host))])),
    plans,
    retry: { delayMs: 10 },
  })
  open.push(engine)
  return engine
}

async function startEngine(...parts: Parameters<typeof openEngine>): Promise<Engine> {
  const engine = await openEngine(...parts)
  await engine.start()
  return engine
}

// #region plans
const zone = 'Europe/Berlin'
const plans: { readonly [name: string]: PlanInput } = {
  nightly: {
    kind: 'backup',
    repository: 'main',
    workloads: [{ provider: 'esx', id: '4203a1d0-0000-4000-8000-00000000000a' }], // or { provider: 'esx', glob: 'web*' }
    schedule: { type: 'simple', every: 'day', at: '01:30', zone },
    chain: { maxIncrementals: 6, fullOn: { weekday: 'sunday', zone } },
    retention: { daily: 14, weekly: 8, zone },
    options: { quiesce: 'try' },
  },
  hourly: {
    kind: 'snapshot',
    workloads: [{ provider: 'esx', glob: 'web*' }],
    schedule: { type: 'simple', every: 'hour', minute: 15 },
    retention: { last: 4 },
  },
  // Once a week the newest point of the same machine becomes a machine without a network, and is removed again.
  'try-a-restore': {
    kind: 'verification',
    repository: 'main',
    workloads: [{ provider: 'esx', id: '4203a1d0-0000-4000-8000-00000000000a' }],
    mode: 'restore',
    restore: { options: { datastore: 'fast' } }, // where there is but one, it may be left out
    schedule: { type: 'simple', every: 'week', on: 'saturday', at: '05:00', zone },
  },
}
// #endregion plans

/** As they are printed, but so that nothing runs by itself. */
const byHand = Object.fromEntries(Object.entries(plans).map(([name, { schedule: _, ...plan }]) => [name, plan as PlanInput]))

/** Changes so many bytes of the first disk. */
async function write(host: EsxiSimulator, bytes: number): Promise<void> {
  const found = host.machine('web')?.hardware.disks[0]
  if (found === undefined) throw new Error('the machine is gone')
  const blocks = found.content.open()
  const next = await readBlocks(blocks, { signal })
  await blocks[Symbol.asyncDispose]()
  next.set(random.bytes(bytes), mebibyte)
  found.content = { size: next.length, open: () => memoryMappedBlocks(next, { readers: 4 }) }
}

describe('back-up-esxi', () => {
  test('the thumbprint is read before anybody logs in', async () => {
    const { host, port, thumbprint, calls } = await startHost()
    // #region thumbprint
    const { sha256, subject, validTo } = await readHostCertificate(host, port, { signal })
    print(`${subject}, valid to ${validTo}`)
    print(sha256)
    // #endregion thumbprint
    expect(printed[1]).toBe(thumbprint())
    expect(calls).toEqual([])
  })

  test('the check and the list say what is there and what stands in the way', async () => {
    const simulator = await startHost()
    const { host, port } = simulator
    const thumbprint = simulator.thumbprint()
    // #region provider
    await using esx = esxi({ host, port, user, password, thumbprint })
    for (const { status, name, message } of await esx.check({ signal })) if (status !== 'ok') print(`${status}: ${name}: ${message}`)
    for await (const { name, id, usedBytes = 0, details } of esx.workloads({ signal })) {
      print(`${name}: ${formatBytes(usedBytes)}, ${id}`)
      const { obstacles } = details as { obstacles: readonly { message: string; stops: boolean }[] }
      for (const { message, stops } of obstacles) print(`  ${stops ? 'cannot be backed up' : 'note'}: ${message}`)
    }
    // #endregion provider
    await esx[Symbol.asyncDispose]()
    await expectShown('back-up-esxi', 'list', printed)
    expect(simulator.sessions()).toBe(0)
  })

  test('a full is kept as it came, an increment holds what has changed, and the savings tell it', async () => {
    const host = await startHost()
    const engine = await startEngine({ esx: host }, byHand)
    await engine.runPlan('nightly')
    await write(host, 256 * 1024)
    const [outcome] = await engine.runPlan('nightly')
    await engine.idle()
    expect(outcome?.consistency).toBe('quiesced')
    expect(host.machine('web')?.snapshots).toEqual([])
    // #region savings
    const { byForm, total } = await engine.savings({ plan: 'nightly' })
    for (const { form, runs, bytes } of [...byForm, { form: 'together', ...total }]) {
      const [whole, read, stored] = [bytes.provisioned, bytes.transferred, bytes.stored].map(formatBytes)
      print(`${form}: ${runs}, disks of ${whole}, ${read} came over the network, ${stored} stored`)
    }
    // #endregion savings
    await expectShown('back-up-esxi', 'savings', printed, (line) => line.replaceAll(/[\d.]+ [KM]iB (came|stored)/g, 'N $1'))
    const [increment, full] = byForm.map(({ bytes }) => bytes.stored)
    expect(increment).toBeLessThan((full ?? 0) / 4)
  })

  test('the plans fire by themselves', async () => {
    const engine = await openEngine({ esx: await startHost() }, plans)
    const runs = await engine.previewRuns({ until: new Date(Date.now() + 8 * 86_400_000).toISOString() })
    expect([...new Set(runs.map(({ plan }) => plan))].sort()).toEqual(['hourly', 'nightly', 'try-a-restore'])
  })

  test('the snapshot plan keeps its own four, and touches no other', async () => {
    const host = await startHost()
    const engine = await startEngine({ esx: host }, byHand)
    await engine.snapshot(web, { name: 'before the update' })
    for (let hour = 0; hour < 5; hour += 1) {
      await engine.runPlan('hourly')
      await engine.idle()
    }
    const found = await engine.snapshots(web)
    expect(found.map(({ plan }) => plan)).toEqual(['hourly', 'hourly', 'hourly', 'hourly', undefined])
    expect(found.at(-1)?.name).toBe('before the update')
  })

  test('the plan that tries restores leaves nothing', async () => {
    const host = await startHost({ machines: machines(), datastores: [{ name: 'slow' }, { name: 'fast' }] })
    const engine = await startEngine({ esx: host }, byHand)
    await engine.runPlan('nightly')
    await engine.runPlan('try-a-restore')
    await engine.idle()
    expect(host.calls).toContain('ImportVApp')
    expect(host.machines().map(({ name }) => name)).toEqual(machines().map(({ name }) => name))
  })
})

/** An old host with a backup in the repository, a new one that is otherwise, and an engine with both. */
async function twoHosts(): Promise<{ readonly host: EsxiSimulator; readonly target: EsxiSimulator; readonly engine: Engine }> {
  const host = await startHost()
  const networks = [{ name: 'lan' }, { name: 'lab' }]
  const target = await startHost({ datastores: [{ name: 'slow' }, { name: 'fast' }], networks })
  const engine = await startEngine({ esx: host, 'new-host': target }, byHand)
  await engine.runPlan('nightly')
  return { host, target, engine }
}

const failure = (run: PromiseLike<unknown>) =>
  run.then(
    () => 'it has not failed',
    ({ code, message, remedy }: HoldfastError) => `${code}: ${message}\n${remedy}`,
  )

describe('restore-to-another-host', () => {
  test('a machine goes to a host with other datastores and networks, and starts', async () => {
    const { engine, target } = await twoHosts()
    // #region restore
    const { workload } = await engine.restore(web, {
      provider: 'new-host',
      name: 'web',
      start: true,
      options: { datastore: 'fast', networks: { 'VM Network': 'lan' } },
    })
    print(`restored as ${workload}`)
    // #endregion restore
    const machine = target.machine('web')
    expect(machine).toMatchObject({ powerState: 'poweredOn' })
    expect(machine?.hardware.disks.map(({ datastore }) => datastore)).toEqual(['fast', 'fast'])
    expect(machine?.hardware.cards.map(({ network }) => network)).toEqual(['lan'])
    expect(printed).toEqual([`restored as ${machine?.settings.instanceUuid}`])
  })

  test('what was not said, or does not fit, is told with what there is', async () => {
    const { engine, target } = await twoHosts()
    const restore = (options: object) => failure(engine.restore(web, { provider: 'new-host', name: 'web', options }))
    const networks = { 'VM Network': 'lan' }
    print(await restore({}))
    print(await restore({ datastore: 'fast' }))
    print(await restore({ datastore: 'fsat', networks }))
    for (const store of target.places.datastores) store.free = mebibyte
    print(await restore({ datastore: 'fast', networks }))
    await expectShown('restore-to-another-host', 'errors', printed, asNamed)
    expect(target.machines()).toEqual([])
  })

  test('when the old host and the catalog are gone, the repository is enough', async () => {
    const { engine, target } = await twoHosts()
    const [point] = await engine.points({ repository: 'main' })
    await engine.stop()
    const store = sqlite({ file: join(folder, 'new-catalog.db') })
    const { host, port } = target
    const thumbprint = target.thumbprint()
    // #region lost
    const rescue = await createEngine({
      name: 'shop-backup',
      store,
      repositories: { main: localRepository({ folder: join(folder, 'points') }) },
      providers: { 'new-host': esxi({ host, port, user, password, thumbprint }) },
    })
    await rescue.start()
    const [foreign] = await rescue.points({ repository: 'main' })
    if (foreign === undefined) await rescue.rescan({ repository: 'main' })
    for (const { id, workload, createdAt } of await rescue.points({ repository: 'main' })) print(`${createdAt} ${workload.id} ${id}`)
    await rescue.restore(web, { provider: 'new-host', name: 'web', options: { datastore: 'fast', networks: { 'VM Network': 'lan' } } })
    // #endregion lost
    open.push(rescue)
    expect(printed).toEqual([`${point?.createdAt} ${uuid} ${point?.id}`])
    expect(target.machine('web')?.hardware.disks).toHaveLength(2)
  })
})

describe('make-a-test-clone', () => {
  test('a trial proves that the point becomes a machine, and leaves nothing', async () => {
    const { engine, target } = await twoHosts()
    // #region trial
    await engine.restore(web, { provider: 'new-host', name: 'web-trial', purpose: 'test', options: { datastore: 'fast' } })
    await engine.idle() // it is removed right after the run
    // #endregion trial
    expect(target.calls).toContain('ImportVApp')
    expect(target.machines()).toEqual([])
  })

  test('a clone to work with has another identity, and only the network that was named', async () => {
    const { engine, host, target } = await twoHosts()
    const { host: address, port, thumbprint } = loginOf(target)
    const login = { host: address, port, user, password, thumbprint }
    // #region clone
    const clone = await engine.restore(web, {
      provider: 'new-host',
      name: 'clone-of-web',
      options: { datastore: 'fast', networks: { 'VM Network': 'lab' }, newIdentity: true },
    })
    await using newHost = esxi(login) // of the host that the clone is on
    await newHost.power?.start(clone.workload, { network: 'disconnected', signal })
    // #endregion clone
    const [original, copy] = [host.machine('web'), target.machine('clone-of-web')]
    expect(copy).toMatchObject({ powerState: 'poweredOn' })
    expect(copy?.hardware.cards.map(({ network, connected }) => ({ network, connected }))).toEqual([{ network: 'lab', connected: false }])
    expect(copy?.hardware.cards[0]?.mac).not.toBe(original?.hardware.cards[0]?.mac)
    expect(copy?.settings.uuid).not.toBe(original?.settings.uuid)
  })
})

describe('free-esxi-licence', () => {
  const free = { licences: [{ editionKey: 'esxBasic', name: 'vSphere 8 Hypervisor' }] }

  test('the check tells it without a write, and a backup says what it was refused', async () => {
    const host = await startHost({ ...free, machines: machines() })
    const esx = esxi(loginOf(host))
    // #region check
    for (const { name, status, message } of await esx.check({ signal })) if (name === 'licence') print(`${status}: ${message}`)
    // #endregion check
    await esx[Symbol.asyncDispose]()
    const engine = await startEngine({ esx: host }, byHand)
    print(await failure(engine.runPlan('nightly')))
    await expectShown('free-esxi-licence', 'refused', printed, asNamed)
    expect(host.calls.filter((name) => name === 'CreateSnapshot_Task')).toHaveLength(1)
    expect(host.machine('web')?.snapshots).toEqual([])
  })

  test('the report of a host has no name and no secret in it', async () => {
    const simulator = await startHost({ ...free, machines: machines() })
    const { host, port } = simulator
    const thumbprint = simulator.thumbprint()
    // #region report
    const report = await examineHost({ host, port, user, password, thumbprint }, { signal })
    print(JSON.stringify(report, null, 2))
    // #endregion report
    const text = printed.join('\n')
    expect(text).toContain('esxBasic')
    expect(text).not.toMatch(/web|of the account|127\.0\.0\.1|SECRET/)
    expect(simulator.sessions()).toBe(0)
  })
})
