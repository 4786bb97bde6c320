// Answers in the shapes that real hosts gave to others, each beside what must be read in it, and requests as they must be sent.
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { connected } from '../../test/support/simulated-host.ts'
import { chooseVersion } from './api-version.ts'
import { decodeAnswer, encodeRequest } from './message.ts'
import { type MethodName, methods } from './methods.ts'
import type { Data } from './values.ts'
import { parseXml } from './xml.ts'

const folder = new URL('../../test/golden/', import.meta.url)
const textOf = (name: string): string => readFileSync(new URL(name, folder), 'utf8')
const isMethod = (name: string): name is MethodName => Object.hasOwn(methods, name)

const answers = readdirSync(new URL('answers/', folder)).filter((name) => name.endsWith('.xml'))

function decoded(name: string): unknown {
  const method = name.slice(0, name.indexOf('.'))
  if (!isMethod(method)) throw new Error(`${name} is named after no call`)
  return decodeAnswer(method, textOf(`answers/${name}`), 'esx1')
}

describe('a recorded answer', () => {
  it.each(answers)('%s names what it was written after, and is read as it must be', (name) => {
    expect(textOf(`answers/${name}`)).toMatch(/<!--[^>]*https:\/\/\S+[^>]*-->/)
    expect(JSON.parse(JSON.stringify(decoded(name)))).toEqual(JSON.parse(textOf(`answers/${name.replace(/xml$/, 'json')}`)))
  })

  it('33: means the same with prefixes of any spelling', () => {
    const alike = answers.filter((name) => name.startsWith('RetrievePropertiesEx.prefix-')).map(decoded)
    expect(alike).toHaveLength(3)
    expect(alike[1]).toEqual(alike[0])
    expect(alike[2]).toEqual(alike[0])
  })
})

describe('a list of versions', () => {
  const list = (...versions: readonly string[]): string =>
    `<namespaces><namespace><name>urn:vim25</name><version>${versions[0]}</version><priorVersions>${versions
      .slice(1)
      .map((one) => `<version>${one}</version>`)
      .join('')}</priorVersions></namespace></namespaces>`

  it.each([
    ['of a vCenter whose newest version has no number', textOf('versions.vcenter.xml'), '8.0.2.0'],
    ['of a host that is newer than this software', list('9.1.0.0', '9.0.0.0', '8.0.3.0'), '9.0.0.0'],
    ['of a host that is newer, and lists nothing that this software knows', list('10.0', '6.0'), '9.0.0.0'],
    ['of a host of six years ago', list('6.7.3', '6.7', '6.5'), '6.7.3'],
  ])('%s is read', (_what, text, version) => {
    expect(chooseVersion('esx1', { status: 200, text })).toBe(version)
  })

  it('of a host that is too old, and what is no list, are refused', () => {
    expect(() => chooseVersion('esx1', { status: 200, text: list('6.0', '5.5') })).toThrow('esx1 knows version 6.0 of the API')
    for (const text of ['', '<html/>', list('latest')])
      expect(() => chooseVersion('esx1', { status: 200, text })).toThrow('esx1 is no vSphere host')
  })
})

const machine = { type: 'VirtualMachine', value: 'vm-4681' } as const
const pool = { type: 'ResourcePool', value: 'resgroup-8' } as const
const ovfManager = { type: 'OvfManager', value: 'OvfManager' } as const
const datastore = { type: 'Datastore', value: 'datastore-17' } as const
const traversal: Data<'TraversalSpec'> = {
  $type: 'TraversalSpec',
  selectSet: [],
  skip: false,
  path: 'view',
  type: 'ContainerView',
  name: 'view',
}
const card: Data<'VirtualEthernetCard'> = {
  $type: 'VirtualVmxnet3',
  macAddress: '00:50:56:8a:00:01',
  addressType: 'manual',
  unitNumber: 7,
  controllerKey: 100,
  connectable: { connected: false, allowGuestControl: false, startConnected: false },
  key: 4000,
}
const spec = `<importSpec xmlns="urn:vim25" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="VirtualMachineImportSpec"><configSpec><name>web</name><files><vmPathName>[fast]</vmPathName></files></configSpec></importSpec>`

const requests: { readonly [name: string]: () => string } = {
  'Login.special-characters': () =>
    encodeRequest('Login', { type: 'SessionManager', value: 'SessionManager' }, { userName: 'LAB\\backup & <more>', password: 'a"b\r]]>' }),
  'FindAllByUuid.instance': () =>
    encodeRequest('FindAllByUuid', { type: 'SearchIndex', value: 'SearchIndex' }, { instanceUuid: true, vmSearch: true, uuid: '5016105c' }),
  'CreateFilter.task': () =>
    encodeRequest(
      'CreateFilter',
      { type: 'PropertyCollector', value: 'session[52]52' },
      {
        partialUpdates: false,
        spec: { objectSet: [{ obj: { type: 'Task', value: 'task-77' }, selectSet: [] }], propSet: [{ pathSet: ['info'], type: 'Task' }] },
      },
    ),
  'RetrievePropertiesEx.view': () =>
    encodeRequest(
      'RetrievePropertiesEx',
      { type: 'PropertyCollector', value: 'propertyCollector' },
      {
        options: { maxObjects: 100 },
        specSet: [
          {
            objectSet: [
              {
                selectSet: [traversal],
                skip: true,
                obj: { type: 'ContainerView', value: 'session[52]52' },
              },
            ],
            propSet: [{ pathSet: ['name', 'config.instanceUuid'], type: 'VirtualMachine' }],
          },
        ],
      },
    ),
  'CreateSnapshot_Task.of-a-backup': () =>
    encodeRequest('CreateSnapshot_Task', machine, { quiesce: true, memory: false, description: 'Temporary', name: 'holdfast 100%25' }),
  'ReconfigVM_Task.cut-card': () =>
    encodeRequest('ReconfigVM_Task', machine, {
      spec: {
        deviceChange: [
          {
            device: card,
            operation: 'edit',
          },
        ],
        extraConfig: [{ value: 'x', key: 'holdfast' }],
        annotation: 'Notes\nof two lines',
      },
    }),
  'CreateDescriptor.sizes': () =>
    encodeRequest('CreateDescriptor', ovfManager, {
      obj: machine,
      cdp: {
        snapshot: { type: 'VirtualMachineSnapshot', value: 'snapshot-4690' },
        exportOption: ['mac', 'uuid'],
        includeImageFiles: true,
        name: 'web',
        ovfFiles: [
          {
            populatedSize: 8_589_934_592,
            capacity: 107_374_182_400,
            size: 3_221_225_472,
            path: 'web-disk-1.vmdk',
            deviceId: '/vm-4681/ParaVirtualSCSIController0:0',
          },
        ],
      },
    }),
  'CreateImportSpec.mapped': () =>
    encodeRequest('CreateImportSpec', ovfManager, {
      cisp: {
        diskProvisioning: 'thin',
        networkMapping: [{ network: { type: 'DistributedVirtualPortgroup', value: 'dvportgroup-21' }, name: 'VM Network' }],
        hostSystem: { type: 'HostSystem', value: 'host-9' },
        entityName: 'web%2ffront',
        importOption: [],
        deploymentOption: '',
        locale: '',
      },
      datastore,
      resourcePool: pool,
      ovfDescriptor: '<?xml version="1.0"?>\n<Envelope/>',
    }),
  'ImportVApp.spliced': () =>
    encodeRequest('ImportVApp', pool, {
      host: { type: 'HostSystem', value: 'host-9' },
      folder: { type: 'Folder', value: 'group-v3' },
      spec: parseXml(spec),
    }),
  'HttpNfcLeaseSetManifestChecksumType.sha256': () =>
    encodeRequest(
      'HttpNfcLeaseSetManifestChecksumType',
      { type: 'HttpNfcLease', value: 'session[52]52' },
      {
        deviceUrlsToChecksumTypes: [{ value: 'sha256', key: '/vm-4681/nvram' }],
      },
    ),
  'QueryChangedDiskAreas.since': () =>
    encodeRequest('QueryChangedDiskAreas', machine, {
      changeId: '52 9a/4',
      startOffset: 2_199_023_255_552,
      deviceKey: 2000,
      snapshot: { type: 'VirtualMachineSnapshot', value: 'snapshot-4690' },
    }),
  'HasPrivilegeOnEntities.two': () =>
    encodeRequest(
      'HasPrivilegeOnEntities',
      { type: 'AuthorizationManager', value: 'AuthorizationManager' },
      {
        privId: ['VApp.Export', 'VApp.Import'],
        sessionId: '5220f274',
        entity: [machine, pool],
      },
    ),
}

describe('a request', () => {
  it.each(Object.keys(requests))('%s has its elements in the order of the schema, whatever order the values have', async (name) => {
    const lines = (requests[name]?.() ?? '').replaceAll(/>(?=<(?!\/))/g, '>\n')
    await expect(`${lines}\n`).toMatchFileSnapshot(new URL(`requests/${name}.xml`, folder).pathname)
  })

  it('carries the session as the host has given it, quotes too, to this host alone', async () => {
    await using host = await connected()
    const { host: name, port } = host.simulator
    expect(host.client.sessionCookie({ host: name, port })).toMatch(/^vmware_soap_session="session-\d+"$/)
    expect(host.client.sessionCookie({ host: name, port: port + 1 })).toBeUndefined()
    expect(host.client.sessionCookie({ host: 'other.example', port })).toBeUndefined()
  })
})
