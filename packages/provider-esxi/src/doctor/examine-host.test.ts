import { type EsxiSimulator, type EsxiSimulatorOptions, startEsxiSimulator } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { addForeignSnapshot, machineNamed } from '../../test/support/changing-machine.ts'
import { loginOf } from '../../test/support/simulated-connection.ts'
import { call } from '../../test/support/simulated-host.ts'
import { type ExamineOptions, examineHost, type HostReport } from './examine-host.ts'

async function examined(
  options: EsxiSimulatorOptions,
  more: Partial<ExamineOptions> = {},
  look: (simulator: EsxiSimulator) => void = () => {},
): Promise<HostReport> {
  const simulator = await startEsxiSimulator(options)
  try {
    const report = await examineHost(loginOf(simulator), { ...call, ...more })
    look(simulator)
    return report
  } finally {
    await simulator[Symbol.asyncDispose]()
  }
}

const machines = [
  { name: 'payroll', uuid: 'uuid-of-payroll', disks: [{}, { controller: 'VirtualNVMEController' }], powerState: 'poweredOn' },
  { name: 'sealed', uuid: 'uuid-of-sealed', tpm: true, others: ['VirtualFutureThing'] },
  { name: 'lost', uuid: 'u', inaccessible: true },
] as const

describe('the examination of a host', () => {
  it('tells what it is and can, and only reads', async () => {
    const writing = /_Task$|^Http|Export|Reconfig|PowerO/
    const report = await examined({ machines }, {}, ({ calls, sessions }) => {
      // These are made on objects that do not exist.
      expect(calls.filter((name) => writing.test(name)).sort()).toEqual([
        'ExportSnapshot',
        'ExportVm',
        'HttpNfcLeaseGetManifest',
        'HttpNfcLeaseSetManifestChecksumType',
      ])
      expect(sessions()).toBe(0)
    })
    expect(report).toMatchObject({
      v: 1,
      host: { kind: 'HostAgent', version: '8.0.2', apiVersion: '8.0.2.0', spoken: '8.0.2.0' },
      licences: [{ edition: 'esx.enterprisePlus.cpuPackage' }],
      survey: {
        machines: 3,
        running: 1,
        unread: 1,
        devices: { VirtualDisk: 3, VirtualDiskFlatVer2BackingInfo: 3, VirtualNVMEController: 1, VirtualTPM: 1, VirtualFutureThing: 1 },
        obstacles: { vtpm: 1, inaccessible: 1 },
      },
      methods: { ExportVm: 'known', ExportSnapshot: 'known' },
      folder: { status: 206, contentRange: true, bytes: 16 },
      checks: { connection: 'ok', licence: 'ok' },
      changedAreas: { tracked: 0, frozen: 1, by: 'off', changeId: false, query: 'FileFault', flat: { status: 206, contentRange: true } },
    })
  })

  it('asks for the changed areas and a range of a disk that nothing writes, without making a snapshot', async () => {
    await using simulator = await startEsxiSimulator({ machines: [{ ...machines[0], changeTracking: true }] })
    const ask = async () => (await examineHost(loginOf(simulator), call)).changedAreas
    expect(await ask()).toEqual({ tracked: 1, frozen: 0 })
    const made = simulator.calls.length
    await addForeignSnapshot(simulator, machineNamed(simulator, 'payroll'))
    expect(await ask()).toEqual({
      tracked: 1,
      frozen: 1,
      by: 'snapshot',
      changeId: true,
      query: 'answered',
      spanBytes: 1024 * 1024,
      areas: expect.any(Number),
      flat: { status: 206, contentRange: true, bytes: 16 },
    })
    expect(simulator.calls.slice(made).filter((name) => name === 'CreateSnapshot_Task')).toHaveLength(1)
    simulator.files.script('payroll/payroll-flat.vmdk', { does: 'status', status: 500 })
    expect(await ask()).toMatchObject({ flat: { status: 500, contentRange: false } })
  })

  it('tells a call that the host does not know', async () => {
    const simulator = await startEsxiSimulator({})
    simulator.refuse('QueryChangedDiskAreas', {
      fault: 'MethodNotFound',
      message: 'no',
      fields: '<receiver type="VirtualMachine">x</receiver><method>QueryChangedDiskAreas</method>',
    })
    simulator.refuse('ExportSnapshot', { fault: 'NotSupported', message: 'no' })
    const { methods, folder } = await examineHost(loginOf(simulator), call).finally(() => simulator[Symbol.asyncDispose]())
    expect(methods).toMatchObject({ QueryChangedDiskAreas: 'unknown', ExportSnapshot: 'NotSupported' })
    expect(folder).toBeUndefined()
  })

  it('finds the files of a datastore through the folders of a vCenter server', async () => {
    const { folder, host } = await examined({ kind: 'vcenter', machines: [machines[0]] })
    expect([host.kind, folder]).toEqual(['VirtualCenter', { status: 206, contentRange: true, bytes: 16 }])
  })

  it('holds no secret, no address, and no name unless it is asked for', async () => {
    const options = { machines, datastores: [{ name: 'vault' }], hosts: [{ name: 'tower' }] }
    let login: { readonly host: string; readonly port: number; readonly thumbprint: () => string } | undefined
    const hidden = JSON.stringify(
      await examined(options, { trial: 'uuid-of-sealed' }, (simulator) => {
        login = simulator
      }),
    )
    for (const word of ['payroll', 'sealed', 'lost', 'vault', 'tower', 'simulated', 'SECRET', '127.0.0.1', login?.thumbprint() ?? '?'])
      expect(hidden).not.toContain(word)
    const named = await examined(options, { names: true })
    expect(named.survey.names).toEqual({ payroll: [], sealed: ['vtpm'], lost: ['inaccessible'] })
    expect(named.checks).toMatchObject({ 'datastore vault': 'ok', 'host tower': 'ok' })
  })

  it('tries an export of the machine that is named, and leaves nothing behind', async () => {
    const report = await examined({ machines }, { trial: 'uuid-of-payroll' }, (simulator) => {
      expect(simulator.machine('payroll')?.snapshots).toEqual([])
      expect(simulator.calls).toContain('CreateSnapshot_Task')
      expect(simulator.calls.filter((name) => name === 'HttpNfcLeaseAbort')).toHaveLength(1)
    })
    expect(report.trial).toMatchObject({
      consistency: 'crash',
      devices: expect.arrayContaining([expect.objectContaining({ start: '4b444d56' })]),
    })
  })

  it('imports a small machine as restores of chains do, reads it back, and leaves nothing', async () => {
    const report = await examined({ machines }, { trialImport: {} }, (simulator) => {
      expect(
        simulator.calls.filter((name) =>
          ['ImportVApp', 'HttpNfcLeaseComplete', 'ExportVm', 'Destroy_Task', 'PowerOnVM_Task'].includes(name),
        ),
      ).toEqual(['ExportVm', 'ImportVApp', 'HttpNfcLeaseComplete', 'ExportVm', 'Destroy_Task'])
      expect([simulator.machine('payroll') !== undefined, simulator.leases.open.size, simulator.sessions()]).toEqual([true, 0, 0])
    })
    expect(report.trialImport).toEqual({ imported: true, equal: 64, different: 0 })
  })

  it('refuses a trial that names what is not there, before there is a report', async () => {
    await expect(examined({ machines }, { trialImport: { datastore: 'nowhere' } })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining('"nowhere"'),
    })
    await expect(examined({ machines }, { trial: 'nobody' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('nobody'),
    })
  })

  it('tells why a trial failed, without the name', async () => {
    const sealed = [{ ...machines[0], tpm: true }]
    expect((await examined({ machines: sealed }, { trial: sealed[0]?.uuid ?? '' })).trial).toMatchObject({
      code: 'UNSUPPORTED',
      error: expect.stringContaining('names: true'),
    })
  })
})
