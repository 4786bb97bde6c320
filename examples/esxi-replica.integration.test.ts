// The code of docs/guide/keep-a-replica.md, on simulated hosts.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, localRepository, systemClock } from '@holdfast/core'
import { createProgressMeter, openOffline } from '@holdfast/core/offline'
import type { Provider, RestoreSource, RunContext } from '@holdfast/core/spec'
import { esxi } from '@holdfast/provider-esxi'
import { sqlite } from '@holdfast/store-sqlite'
import { type EsxiSimulator, type EsxiSimulatorOptions, memoryRunContext, seededRandom, startEsxiSimulator } from '@holdfast/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'

const signal = AbortSignal.timeout(3_600_000)
const [user, password] = ['backup', 'of the account']
const uuid = '4203a1d0-0000-4000-8000-00000000000a'
const content = seededRandom(11).bytes(1 << 20)

let folder = ''
const open: AsyncDisposable[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-replica-'))
})
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

async function hostWith(options: EsxiSimulatorOptions): Promise<EsxiSimulator> {
  const host = await startEsxiSimulator({ user, password, ...options })
  open.push(host)
  return host
}
const providerOf = ({ host, port, thumbprint }: EsxiSimulator): Provider => {
  const provider = esxi({ host, port, user, password, thumbprint: thumbprint() })
  open.push(provider)
  return provider
}

/** Two points of the machine `web`, newest first. */
async function twoPoints(host: EsxiSimulator): Promise<readonly RestoreSource[]> {
  const repository = () => localRepository({ folder: join(folder, 'points') })
  const engine = await createEngine({
    name: 'shop-backup',
    store: sqlite({ file: join(folder, 'catalog.db') }),
    repositories: { main: repository() },
    providers: { esx: providerOf(host) },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [{ provider: 'esx', id: uuid }], retention: { last: 2 } } },
  })
  await engine.start()
  for (const _ of [1, 2]) await engine.runPlan('nightly')
  await engine.stop()
  const offline = await openOffline({ repository: repository(), clock: systemClock, signal })
  const meter = createProgressMeter({ clock: systemClock, onChange: () => {} })
  return Promise.all(offline.points.map(async (point) => (await offline.open(point, { signal, meter })).source))
}

/** As the engine gives it to a provider, and what it does when the run has ended. */
async function asRun(provider: Provider, name: string, work: (run: RunContext) => Promise<void>): Promise<void> {
  const memory = memoryRunContext({ provider, mark: { system: 'shop-backup', plan: 'replicas', run: name, attempt: 1 } })
  await work(memory.run)
  await memory.undoOpen({ committed: true })
}

test('a replica is made, brought to a newer point, tried and started as the page shows', async () => {
  const here = await hostWith({ machines: [{ name: 'web', uuid, disks: [{ content }], cards: [{}] }] })
  const there = await hostWith({ datastores: [{ name: 'fast' }], networks: [{ name: 'VM Network' }] })
  const points = await twoPoints(here)
  const [newer, older] = points as [RestoreSource, RestoreSource]
  expect(points).toHaveLength(2)
  const dr = providerOf(there)
  let replica = ''
  await asRun(dr, 'first', async (run) => {
    // #region make
    const made = await dr.restore(
      { purpose: 'replica', name: 'web_replica', start: false, options: { datastore: 'fast' } },
      older, // a point of the machine
      run,
    )
    // #endregion make
    replica = made.workload
  })
  const machine = () => there.machine('web_replica')
  const first = machine()?.value
  expect([machine()?.powerState, machine()?.hardware.cards.map(({ connected }) => connected)]).toEqual(['poweredOff', [false]])
  await asRun(dr, 'second', async (run) => {
    // #region refresh
    await dr.restore({ purpose: 'replica', name: 'web_replica', target: replica, start: false, options: { datastore: 'fast' } }, newer, run)
    // #endregion refresh
  })
  expect([there.machines().length, machine()?.value === first, machine()?.settings.instanceUuid]).toEqual([1, false, replica])
  // #region try
  await dr.power?.start(replica, { network: 'disconnected', signal })
  await dr.power?.stop(replica, { graceMs: 60_000, force: true, signal })
  // #endregion try
  expect(machine()?.powerState).toBe('poweredOff')
  // #region start
  await dr.power?.start(replica, { network: 'connected', signal })
  // #endregion start
  expect([machine()?.powerState, machine()?.hardware.cards.map(({ connected }) => connected)]).toEqual(['poweredOn', [true]])
})
