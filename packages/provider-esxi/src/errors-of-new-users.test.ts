// What a new user reads when something is wrong: each text says what happened, where, and how to mend it.
import type { BackupResult } from '@holdfast/core/spec'
import { collectingSink, type EsxiSimulator } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { backUp, list, readable, restoreAs, told, uuidOfWeb, withPort, withProvider } from '../test/support/told-errors.ts'

const call = { signal: new AbortController().signal }
const asBefore = { ...call, network: 'as-configured' } as const
const free = { licences: [{ editionKey: 'esxBasic', name: 'vSphere 8 Hypervisor' }] }
const running = { powerState: 'poweredOn' } as const

describe('the way to the host', () => {
  it('a wrong password', async () => {
    expect(await told({ login: { password: 'another-Secret' } }, list)).toMatchInlineSnapshot(`
      "ACCESS_DENIED
      Login of the user root failed on esx1: Cannot complete login due to an incorrect user name or password. (InvalidLogin)
      -> Check user and password. A host locks an account for a while after some wrong passwords, and then refuses the right one too: so this one is not tried again for 15 minutes."
    `)
  })

  it('a locked account, which refuses the right password too', async () => {
    const locked = { fault: 'InvalidLogin', message: 'Cannot complete login due to an incorrect user name or password.' }
    expect(await told({ before: (host) => host.refuse('Login', locked) }, list)).toMatchInlineSnapshot(`
      "ACCESS_DENIED
      Login of the user root failed on esx1: Cannot complete login due to an incorrect user name or password. (InvalidLogin)
      -> Check user and password. A host locks an account for a while after some wrong passwords, and then refuses the right one too: so this one is not tried again for 15 minutes."
    `)
  })

  it('a wrong thumbprint', async () => {
    expect(await told({ login: { thumbprint: '00'.repeat(32) } }, list)).toMatchInlineSnapshot(`
      "ACCESS_DENIED
      The certificate of esx1 is another one than the thumbprint says: its SHA-256 is AB:CD:EF.
      -> If the certificate was renewed, look at the new one on the console of the host and give its SHA-256. Otherwise somebody stands between you and the host."
    `)
  })

  it('a certificate that nobody has signed, and no thumbprint', async () => {
    expect(await told({ login: { thumbprint: undefined } as object }, list)).toMatchInlineSnapshot(`
      "ACCESS_DENIED
      The certificate of esx1 is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT).
      -> Read its SHA-256 with readHostCertificate, compare it with what the console of the host shows, and give it as thumbprint."
    `)
  })

  it('a name of the host that does not resolve', async () => {
    expect(await told({ login: { host: 'esx1.invalid', port: 443 } }, list)).toMatchInlineSnapshot(`
      "UNREACHABLE
      The name esx1.invalid is not known here (asking for its version, ENOTFOUND).
      -> Check how the host is spelt, and that the DNS of this machine knows it. Its address works as well."
    `)
  })

  it('a port that is closed', async () => {
    const text = await withPort(false, async (port) => (await told({ login: { port } }, list)).replace(String(port), '8443'))
    expect(text).toMatchInlineSnapshot(`
      "UNREACHABLE
      Nothing answers at 127.0.0.1:8443: the connection was refused (asking for its version, ECONNREFUSED).
      -> Check host and port, which is 443 as a rule, and whether the management services of the host run."
    `)
  })

  it('a port that speaks no TLS', async () => {
    const text = await withPort(true, async (port) => (await told({ login: { port } }, list)).replace(String(port), '902'))
    expect(text).toMatchInlineSnapshot(`
      "UNREACHABLE
      What answers at 127.0.0.1:902 does not speak HTTPS (asking for its version, ERR_SSL_WRONG_VERSION_NUMBER).
      -> Give the port of HTTPS, which is 443 as a rule."
    `)
  })

  it('hosts that a vCenter server hands out by names that do not resolve here', async () => {
    const before = (host: EsxiSimulator) => {
      host.leases.settings.urlPrefix = 'https://esx7.invalid'
    }
    expect(await told({ kind: 'vcenter', before }, backUp)).toMatchInlineSnapshot(`
      "UNREACHABLE
      127.0.0.1 handed out the host esx7.invalid for Hard disk 1 of web, and its name is not known here (ENOTFOUND).
      -> See to it that esx7.invalid is reached from here on port 443, or name an address of it in hostMap: { 'esx7.invalid': '<address>' }."
    `)
  })
})

describe('17: the free licence', () => {
  it('at a backup of a machine that runs', async () => {
    expect(await told({ ...free, web: running }, backUp)).toMatchInlineSnapshot(`
      "UNSUPPORTED
      CreateSnapshot_Task of web (vm-3) failed on esx1: Current license or ESXi version prohibits execution of the requested operation. (RestrictedVersion)
      -> This host runs the free ESXi licence, with which the API is for reading only. Use an evaluation or paid licence, or vCenter."
    `)
  })

  it('at a backup of a machine that is off', async () => {
    expect(await told(free, backUp)).toMatchInlineSnapshot(`
      "UNSUPPORTED
      ExportVm of web (vm-3) failed on esx1: Current license or ESXi version prohibits execution of the requested operation. (RestrictedVersion)
      -> This host runs the free ESXi licence, with which the API is for reading only. Use an evaluation or paid licence, or vCenter."
    `)
  })

  it('at a restore', async () => {
    expect(await told(free, restoreAs())).toMatchInlineSnapshot(`
      "UNSUPPORTED
      ImportVApp of restored holdfast-f1fa18b1-run1.1 failed on esx1: Current license or ESXi version prohibits execution of the requested operation. (RestrictedVersion)
      -> This host runs the free ESXi licence, with which the API is for reading only. Use an evaluation or paid licence, or vCenter."
    `)
  })

  it('at a snapshot that people keep', async () => {
    const wanted = { name: 'before the update', memory: false, quiesce: false }
    expect(await told(free, async ({ snapshots }, { run }) => snapshots?.create(uuidOfWeb, wanted, run))).toMatchInlineSnapshot(`
      "UNSUPPORTED
      CreateSnapshot_Task of web (vm-3) failed on esx1: Current license or ESXi version prohibits execution of the requested operation. (RestrictedVersion)
      -> This host runs the free ESXi licence, with which the API is for reading only. Use an evaluation or paid licence, or vCenter."
    `)
  })

  it('at switching on', async () => {
    expect(await told(free, async (provider) => provider.power?.start(uuidOfWeb, asBefore))).toMatchInlineSnapshot(`
      "UNSUPPORTED
      PowerOnVM_Task of web (vm-3) failed on esx1: Current license or ESXi version prohibits execution of the requested operation. (RestrictedVersion)
      -> This host runs the free ESXi licence, with which the API is for reading only. Use an evaluation or paid licence, or vCenter."
    `)
  })

  it('at the check, which tells it from the licence and calls nothing that writes', async () => {
    const text = await withProvider(free, async (provider, _run, simulator) => {
      const checks = await provider.check(call)
      expect(simulator.calls.filter((name) => /_Task$|^Export|^Import|^Reconfigure|^HttpNfc/.test(name))).toEqual([])
      return readable(checks.find(({ name }) => name === 'licence')?.message ?? '', simulator)
    })
    expect(text).toMatchInlineSnapshot(
      `"esx1 runs the free ESXi licence (vSphere 8 Hypervisor): the vSphere API is read-only, so that no machine can be backed up, restored or switched through it. Use an evaluation or paid licence, or vCenter."`,
    )
  })

  it('lets everything be read: machines, snapshots, power, files of datastores', async () => {
    await withProvider(free, async (provider, { run }, simulator) => {
      for await (const { name } of provider.workloads(call)) expect(name).toBe('web')
      expect(await provider.snapshots?.list(uuidOfWeb, call)).toEqual([])
      expect(await provider.power?.state(uuidOfWeb, call)).toBe('off')
      const { sink, items } = collectingSink({ signal: run.signal })
      await provider.backup({ workload: uuidOfWeb, options: { mode: 'vmdk' } }, sink, run)
      expect(items.some(({ type }) => type === 'disk')).toBe(true)
      expect(simulator.calls.filter((name) => /_Task$/.test(name))).toEqual([])
    })
  })
})

describe('the account', () => {
  it('lacks a privilege that a backup needs', async () => {
    const missingPrivileges = { 'VirtualMachine.State.CreateSnapshot': ['web'] }
    expect(await told({ missingPrivileges, web: running }, backUp)).toMatchInlineSnapshot(`
      "ACCESS_DENIED
      CreateSnapshot_Task of web (vm-3) failed on esx1: Permission to perform this operation was denied. (NoPermission) The account lacks the privilege VirtualMachine.State.CreateSnapshot.
      -> Give the account a role with this privilege, on this object or on what it lies in. The check of the provider lists all privileges that are missing."
    `)
  })

  it('lacks the privilege to name what it restores', async () => {
    expect(await told({ missingPrivileges: { 'VirtualMachine.Config.Rename': 'everywhere' } }, restoreAs())).toMatchInlineSnapshot(`
      "ACCESS_DENIED
      ReconfigVM_Task of restored (vm-8) failed on esx1: Permission to perform this operation was denied. (NoPermission) The account lacks the privilege VirtualMachine.Config.Rename.
      -> Give the account a role with this privilege, on this object or on what it lies in. The check of the provider lists all privileges that are missing."
    `)
  })

  it('lacks the privilege to restore', async () => {
    expect(await told({ missingPrivileges: { 'VApp.Import': 'everywhere' } }, restoreAs())).toMatchInlineSnapshot(`
      "ACCESS_DENIED
      ImportVApp of restored holdfast-f1fa18b1-run1.1 failed on esx1: Permission to perform this operation was denied. (NoPermission) The account lacks the privilege VApp.Import on ResourcePool ha-root-pool.
      -> Give the account a role with this privilege, on this object or on what it lies in. The check of the provider lists all privileges that are missing."
    `)
  })
})

describe('the machine', () => {
  it('is named by its name, not by its id', async () => {
    expect(await told({}, async (provider) => provider.power?.state('web', call))).toMatchInlineSnapshot(`
      "NOT_FOUND
      No machine on esx1 has the id "web". "web" is the name of the machine 564d0000-0000-4000-8000-00000000aaaa.
      -> Use the id, which outlives renames, instead of the name."
    `)
  })

  it('is not there', async () => {
    expect(await told({}, async (provider) => provider.power?.state('564d-of-another', call))).toMatchInlineSnapshot(`
      "NOT_FOUND
      No machine on esx1 has the id "564d-of-another".
      -> List the machines of the host with workloads(): the id of each is its instance UUID. It may have been removed, or be on another host."
    `)
  })

  it('has a raw device in physical mode', async () => {
    const web = { disks: [{}, { backing: 'rdmPhysical' as const }] }
    expect(await told({ web }, backUp)).toMatchInlineSnapshot(`
      "UNSUPPORTED
      web on esx1 cannot be backed up as it is. Hard disk 2 (ParaVirtualSCSIController0:1) is a raw device in physical mode, which a host can neither snapshot nor export. Change it to virtual mode, or detach it.
      -> Mend what the message names; nothing was changed."
    `)
  })

  it('31: is encrypted', async () => {
    expect(await told({ web: { encrypted: true } }, backUp)).toMatchInlineSnapshot(`
      "UNSUPPORTED
      web on esx1 cannot be backed up as it is. It is encrypted, and a host exports no encrypted machine. Decrypt it.
      -> Mend what the message names; nothing was changed."
    `)
  })

  it('31: has a virtual TPM', async () => {
    expect(await told({ web: { tpm: true } }, backUp)).toMatchInlineSnapshot(`
      "UNSUPPORTED
      web on esx1 cannot be backed up as it is. It has a virtual TPM, and a host exports no machine with one. Remove it; what is sealed with it will be lost.
      -> Mend what the message names; nothing was changed."
    `)
  })

  it('has disks that belong to a backup only while it is off', async () => {
    const web = { ...running, disks: [{}, { mode: 'independent_persistent' }] }
    const result = await withProvider({ web }, backUp)
    expect((result as BackupResult).skipped).toMatchInlineSnapshot(`
      [
        {
          "name": "Hard disk 2 (ParaVirtualSCSIController0:1)",
          "reason": "It is independent (independent_persistent), so no snapshot holds it. It is in a backup that is made while the machine is off.",
        },
      ]
    `)
  })

  it('is on a host in maintenance mode', async () => {
    const hosts = [{ name: 'localhost', maintenance: true }]
    expect(await told({ hosts }, async (provider) => provider.power?.start(uuidOfWeb, asBefore))).toMatchInlineSnapshot(`
      "IN_USE
      PowerOnVM_Task of web (vm-3) failed on esx1: The operation is not allowed in the current state of the host. (InvalidState)
      -> Look at the state of the machine and of its host: one in maintenance mode starts no machine until its maintenance has ended."
    `)
  })
})

describe('where a machine is restored', () => {
  const noSpace = {
    fault: 'NoDiskSpace',
    message: 'There is not enough space on the file system for the selected operation.',
    fields: '<file>[fast] restored/restored.vmdk</file><datastore>fast</datastore>',
  }

  it('the datastore is too small', async () => {
    const datastores = [{ name: 'fast', capacity: 2 ** 30, free: 1000 }]
    expect(await told({ datastores }, restoreAs())).toMatchInlineSnapshot(`
      "DISK_FULL
      The datastore fast on esx1 has 0.98 KiB left; the machine needs 617 KiB.
      -> Free space on the datastore, or choose another one with options.datastore."
    `)
  })

  it('23: the datastore gets full while the disks come', async () => {
    const before = (host: EsxiSimulator) => host.leases.script('disk-0.vmdk', { does: 'fail', fault: noSpace, afterBytes: 1000 })
    expect(await told({ datastores: [{ name: 'fast' }], before }, restoreAs())).toMatchInlineSnapshot(`
      "DISK_FULL
      The transfer of restored holdfast-f1fa18b1-run1.1 failed on esx1: There is not enough space on the file system for the selected operation. (NoDiskSpace) The datastore is fast. The file is [fast] restored/restored.vmdk.
      -> Free space on the datastore. A restore can go to another one, with options.datastore."
    `)
  })

  it('no datastore can be used', async () => {
    const datastores = [
      { name: 'fast', accessible: false },
      { name: 'slow', maintenance: 'inMaintenance' },
    ]
    expect(await told({ datastores }, restoreAs())).toMatchInlineSnapshot(`
      "UNREACHABLE
      No datastore on esx1 takes a machine now. fast: it cannot be reached; slow: it is in maintenance (inMaintenance).
      -> Bring one of the datastores back."
    `)
  })

  it('there are several datastores, and none is chosen', async () => {
    expect(await told({ datastores: [{ name: 'fast' }, { name: 'slow' }] }, restoreAs())).toMatchInlineSnapshot(`
      "INVALID_OPTIONS
      esxi restore options: datastore is missing: esx1 has 2 of them
      -> Give options.datastore: one of "fast", "slow"."
    `)
  })

  it('the datastore is misspelt', async () => {
    const request = { options: { datastore: 'fsat' } }
    expect(await told({ datastores: [{ name: 'fast' }, { name: 'slow' }] }, restoreAs(request))).toMatchInlineSnapshot(`
      "INVALID_OPTIONS
      esxi restore options: datastore is "fsat": esx1 has no such datastore, only "fast", "slow"
      -> Did you mean "fast"? Give options.datastore: one of "fast", "slow"."
    `)
  })

  it('14: its network is missing', async () => {
    const networks = [{ name: 'LAN' }, { name: 'DMZ' }]
    expect(await told({ networks }, restoreAs({}, { networks: ['Office'] }))).toMatchInlineSnapshot(`
      "INVALID_OPTIONS
      The network "Office" of the point is not on esx1, which has "LAN", "DMZ".
      -> Say which to use instead: options networks: { "Office": "LAN" }."
    `)
  })

  it('its name is taken', async () => {
    expect(await told({}, restoreAs({ name: 'web' }))).toMatchInlineSnapshot(`
      "NAME_TAKEN
      There is a machine web on esx1 already (vm-3).
      -> Restore under another name: { name: '...' }."
    `)
  })
})
