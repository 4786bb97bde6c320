import { type Check, systemClock } from '@holdfast/core/spec'
import { type EsxiSimulator, type EsxiSimulatorOptions, startEsxiSimulator } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { loginOf } from '../../test/support/simulated-connection.ts'
import { call } from '../../test/support/simulated-host.ts'
import { shareConnection } from '../connection.ts'
import { type HostOptions, parseHostOptions } from '../host-options.ts'
import { checkHost } from './check-host.ts'

interface Checked {
  readonly checks: readonly Check[]
  readonly calls: readonly string[]
}

async function checked(
  options: EsxiSimulatorOptions,
  { login = {}, before }: { readonly login?: Partial<HostOptions>; before?(simulator: EsxiSimulator): void } = {},
): Promise<Checked> {
  const simulator = await startEsxiSimulator({ machines: [{ name: 'web', uuid: 'u' }], ...options })
  const settings = parseHostOptions({ ...loginOf(simulator), ...login })
  const shared = shareConnection(settings, systemClock)
  before?.(simulator)
  try {
    return { checks: await checkHost(shared, settings, call), calls: simulator.calls }
  } finally {
    await shared[Symbol.asyncDispose]()
    await simulator[Symbol.asyncDispose]()
  }
}

const named = ({ checks }: Checked, name: string): Check | undefined => checks.find((one) => one.name === name)

const notKnown = {
  fault: 'MethodNotFound',
  message: 'no',
  fields: '<receiver type="AuthorizationManager">authorizations</receiver><method>HasPrivilegeOnEntities</method>',
}

/** What a check may call: everything else might change something. */
const reading =
  /^(RetrieveServiceContent|Login|Logout|CurrentTime|RetrievePropertiesEx|ContinueRetrievePropertiesEx|CreateContainerView|DestroyView|HasPrivilegeOnEntities|.*PropertyCollector)$/

describe('the check of a host', () => {
  it('finds nothing wrong with a usual host, and only reads', async () => {
    const { checks, calls } = await checked({})
    expect(checks.map(({ name, status }) => `${name}: ${status}`)).toEqual([
      'connection: ok',
      'certificate: ok',
      'licence: ok',
      'clock: ok',
      'host localhost.localdomain: ok',
      'datastore datastore1: ok',
      'privileges-backup: ok',
      'privileges-vmdk-mode: ok',
      'privileges-changed-areas: ok',
      'privileges-snapshots: ok',
      'privileges-restore: ok',
      'privileges-replicas: ok',
      'privileges-power: ok',
    ])
    expect(calls.filter((name) => !reading.test(name))).toEqual([])
    // Each listing costs the way to the host three times: hosts, datastores, and whatever privileges are held on.
    expect(calls.filter((name) => name === 'CreateContainerView')).toHaveLength(3)
    expect(JSON.stringify(checks)).not.toMatch(/SECRET|simulated"/)
  })

  it('17: tells the free licence without a write', async () => {
    const { checks, calls } = await checked({ licences: [{ editionKey: 'esxBasic', name: 'vSphere 8 Hypervisor' }] })
    expect(named({ checks, calls }, 'licence')).toMatchObject({
      status: 'error',
      message: expect.stringContaining('the vSphere API is read-only'),
    })
    expect(calls.filter((name) => !reading.test(name))).toEqual([])
  })

  it('tells when an evaluation ends, and that it has', async () => {
    const trial = { editionKey: 'eval', name: 'Evaluation Mode' }
    const statusOf = async (expiresInHours: number) => named(await checked({ licences: [{ ...trial, expiresInHours }] }), 'licence')
    expect(await statusOf(600)).toMatchObject({ status: 'ok', message: expect.stringContaining('25 d') })
    expect(await statusOf(48)).toMatchObject({ status: 'warning', details: { hoursLeft: 48 } })
    expect(await statusOf(0)).toMatchObject({ status: 'error' })
    const both = await checked({ licences: [{ ...trial, expiresInHours: 0 }, {}] })
    expect(named(both, 'licence')?.status).toBe('ok')
  })

  it('names each privilege that is missing, where, and what it is needed for', async () => {
    const result = await checked({
      machines: [
        { name: 'web', uuid: 'u' },
        { name: 'mail', uuid: 'v' },
      ],
      missingPrivileges: { 'VirtualMachine.State.CreateSnapshot': ['mail'], 'VApp.Export': 'everywhere', 'Network.Assign': 'everywhere' },
    })
    const backup = named(result, 'privileges-backup')
    expect(backup?.status).toBe('error')
    expect(backup?.message).toContain('VApp.Export, which is needed to export a machine (everywhere)')
    expect(backup?.message).toContain(
      'VirtualMachine.State.CreateSnapshot, which is needed to freeze a machine that runs (on 1 of 2: mail)',
    )
    expect(named(result, 'privileges-restore')).toMatchObject({ status: 'warning', details: [{ privilege: 'Network.Assign', of: 1 }] })
    expect(named(result, 'privileges-power')?.status).toBe('ok')
  })

  it('names privileges of machines on their folders alone, and those of an experiment without a warning', async () => {
    const result = await checked({
      kind: 'vcenter',
      missingPrivileges: { 'VirtualMachine.Inventory.Create': 'everywhere', 'VirtualMachine.Config.ChangeTracking': 'everywhere' },
    })
    expect(named(result, 'privileges-restore')).toMatchObject({
      status: 'warning',
      message: expect.stringContaining('make a machine in a folder'),
      // Of machines: "vm" of the datacenter, and the one below it.
      details: [{ privilege: 'VirtualMachine.Inventory.Create', lacking: 2, of: 2 }],
    })
    const { status, message } = named(result, 'privileges-changed-areas') ?? {}
    expect([status, message]).toEqual([
      'ok',
      'The account lacks VirtualMachine.Config.ChangeTracking, which is needed to have the host track what changes (everywhere). Nothing but changed-areas needs that.',
    ])
  })

  it('names privileges of networks of every kind', async () => {
    const networks = [
      { name: 'lan' },
      { name: 'blue', type: 'DistributedVirtualPortgroup' },
      { name: 'segment', type: 'OpaqueNetwork' },
    ] as const
    const result = await checked({ kind: 'vcenter', networks, missingPrivileges: { 'Network.Assign': ['blue', 'segment'] } })
    expect(named(result, 'privileges-restore')).toMatchObject({
      status: 'warning',
      details: [{ privilege: 'Network.Assign', lacking: 2, of: 3 }],
    })
  })

  it('tells a host that cannot tell privileges', async () => {
    const result = await checked({}, { before: (simulator) => simulator.refuse('HasPrivilegeOnEntities', notKnown) })
    expect(named(result, 'privileges-backup')).toMatchObject({ status: 'warning', details: { code: 'UNSUPPORTED' } })
  })

  it('tells datastores that are full, in maintenance or out of reach', async () => {
    const result = await checked({
      datastores: [
        { name: 'full', capacity: 1000, free: 10 },
        { name: 'resting', maintenance: 'inMaintenance' },
        { name: 'gone', accessible: false },
      ],
    })
    const status = (name: string) => named(result, `datastore ${name}`)?.status
    expect([status('full'), status('resting'), status('gone')]).toEqual(['warning', 'warning', 'error'])
    expect(named(result, 'datastore full')?.message).toContain('10 B of 0.98 KiB are free')
  })

  it('tells hosts that are not connected or in maintenance, and one that a vCenter server manages', async () => {
    const result = await checked({
      kind: 'vcenter',
      hosts: [
        { name: 'a', connectionState: 'notResponding' },
        { name: 'b', maintenance: true },
        { name: 'c', managedBy: '10.0.0.1' },
      ],
    })
    expect(['a', 'b', 'c'].map((name) => named(result, `host ${name}`)?.status)).toEqual(['error', 'warning', 'ok'])
    const alone = await checked({ hosts: [{ name: 'c', managedBy: '10.0.0.1' }] })
    expect(named(alone, 'host c')).toMatchObject({ status: 'warning', details: { manager: '10.0.0.1' } })
  })

  it('tells a clock that is wrong', async () => {
    expect(named(await checked({ clockAheadMs: 3_600_000 }), 'clock')).toMatchObject({
      status: 'warning',
      message: expect.stringMatching(/(59 min|1 h).* ahead of/),
    })
    expect(named(await checked({ clockAheadMs: -3_600_000 }), 'clock')?.message).toContain('behind')
  })

  it('is a finding when nobody can log in', async () => {
    const wrong = await checked({}, { login: { password: 'my-Secret' } })
    expect(wrong.checks).toMatchObject([{ name: 'connection', status: 'error', details: { code: 'ACCESS_DENIED' } }])
    expect(JSON.stringify(wrong.checks)).not.toContain('my-Secret')
    const other = await checked({}, { login: { thumbprint: '00'.repeat(32) } })
    expect(other.checks[0]).toMatchObject({ name: 'connection', status: 'error', message: expect.stringContaining('thumbprint') })
  })
})
