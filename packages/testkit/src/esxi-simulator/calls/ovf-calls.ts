import { describeMachine, type ExportedFile } from '../ovf/describe-machine.ts'
import { readOvf } from '../ovf/read-ovf.ts'
import { fileItems, writeImportSpec } from '../ovf/write-import-spec.ts'
import { writeOvf } from '../ovf/write-ovf.ts'
import { refusedSpec, startImport } from '../simulated-imports.ts'
import { allSnapshots } from '../simulated-machine.ts'
import type { SimulatedNetwork } from '../simulated-places.ts'
import { field, localized, type PrefixStyle, reference, type SimulatedFault, typedValues } from '../soap-answer.ts'
import { parameter, type RequestElement, textAt } from '../soap-request.ts'
import {
  type Call,
  type Given,
  gone,
  type Handler,
  type Host,
  type Refusal,
  refused,
  returned,
  type SimulatedSession,
  textOf,
} from './call.ts'

const list = (style: PrefixStyle, name: string, faults: readonly SimulatedFault[]): string =>
  faults.map((fault) => localized(style, name, fault)).join('')

const childrenOf = (element: RequestElement | undefined, name: string): readonly RequestElement[] =>
  (element?.children ?? []).filter((child) => child.name === name)

function exportedFile(element: RequestElement): ExportedFile {
  const populatedSize = textAt(element, 'populatedSize')
  return {
    device: textAt(element, 'deviceId') ?? '',
    path: textAt(element, 'path') ?? '',
    size: Number(textAt(element, 'size') ?? 0),
    ...(populatedSize !== undefined && { populatedSize: Number(populatedSize) }),
  }
}

function createDescriptor(host: Host, call: Call): Given | Refusal {
  const obj = parameter(call, 'obj')
  const machine = host.machines.find(({ value }) => value === obj?.text)
  if (machine === undefined) return gone(call)
  const wishes = parameter(call, 'cdp')
  const wanted = textAt(wishes, 'snapshot')
  const snapshot = allSnapshots(machine.snapshots).find(({ value }) => value === wanted)
  const { package: described, unknown } = describeMachine(machine, {
    name: textAt(wishes, 'name') ?? machine.name,
    files: childrenOf(wishes, 'ovfFiles').map(exportedFile),
    options: childrenOf(wishes, 'exportOption').map(({ text }) => text),
    hardware: snapshot?.hardware ?? machine.hardware,
  })
  const errors = unknown.map((device) => ({ fault: 'OvfUnknownDevice', message: `The device '${device}' is not known.` }))
  const warnings = described.disks
    .filter(({ file }) => file === undefined)
    .map(() => ({ fault: 'OvfExport', message: 'A disk has no file, and will be empty.' }))
  const text = errors.length > 0 ? '' : writeOvf(described)
  return returned(
    `<returnval>${field('ovfDescriptor', text)}${list(host.style, 'error', errors)}${list(host.style, 'warning', warnings)}${field('includeImageFiles', false)}</returnval>`,
  )
}

/** The fields that come first in the schema are mandatory, though they may be empty. */
function refusesCommonParameters(parameters: RequestElement | undefined): Refusal | undefined {
  const [first, second] = parameters?.children ?? []
  if (first?.name === 'locale' && second?.name === 'deploymentOption') return undefined
  return refused(
    'InvalidRequest',
    "Required parameter locale or deploymentOption is missing, or not the first of 'OvfManagerCommonParams'.",
  )
}

function parseDescriptor(host: Host, call: Call): Given | Refusal {
  const wrong = refusesCommonParameters(parameter(call, 'pdp'))
  if (wrong !== undefined) return wrong
  const { package: read, errors, warnings } = readOvf(textOf(call, 'ovfDescriptor'))
  const networks = (read?.networks ?? []).map((name) => `<network>${field('name', name)}${field('description', '')}</network>`)
  const size = (read?.files ?? []).reduce((sum, file) => sum + (file.size ?? 0), 0)
  return returned(
    `<returnval>${networks.join('')}${field('approximateDownloadSize', size)}${field('defaultEntityName', read?.name ?? '')}${field('virtualApp', false)}${list(host.style, 'error', errors)}${list(host.style, 'warning', warnings)}</returnval>`,
  )
}

function networkFor(host: Host, mappings: readonly RequestElement[], name: string): SimulatedNetwork | undefined {
  const mapped = mappings.find((one) => textAt(one, 'name') === name)
  return host.places.networks.find(({ value }) => value === textAt(mapped, 'network'))
}

const provisionings = new Set(['thin', 'thick', 'eagerZeroedThick', 'monolithicSparse', 'monolithicFlat', 'seSparse', 'flat', 'sparse'])

function createImportSpec(host: Host, call: Call): Given | Refusal {
  const cisp = parameter(call, 'cisp')
  const wrong = refusesCommonParameters(cisp)
  if (wrong !== undefined) return wrong
  const datastore = host.places.datastores.find(({ value }) => value === textOf(call, 'datastore'))
  if (datastore === undefined || host.world.find('ResourcePool', textOf(call, 'resourcePool')) === undefined) return gone(call)
  const { package: described, errors, warnings } = readOvf(textOf(call, 'ovfDescriptor'))
  const mappings = childrenOf(cisp, 'networkMapping')
  const networkOf = (name: string) => networkFor(host, mappings, name)
  const provisioning = textAt(cisp, 'diskProvisioning') ?? 'thick'
  const all = [
    ...errors,
    ...(described?.networks ?? [])
      .filter((name) => networkOf(name) === undefined)
      .map((name) => ({
        fault: 'OvfNetworkMappingNotSupported',
        message: `The network mapping for '${name}' is not supported by any host.`,
      })),
    ...(provisionings.has(provisioning)
      ? []
      : [{ fault: 'OvfUnsupportedDiskProvisioning', message: `Disk provisioning type ${provisioning} not supported.` }]),
  ]
  const name = textAt(cisp, 'entityName') ?? ''
  const made =
    described === undefined || all.length > 0
      ? ''
      : writeImportSpec(described, { name, datastore: datastore.name, provisioning, networkOf }, typedValues(host.style)) +
        fileItems(described, name)
  return returned(`<returnval>${made}${list(host.style, 'warning', warnings)}${list(host.style, 'error', all)}</returnval>`)
}

function importVApp(host: Host, call: Call, session: SimulatedSession): Given | Refusal {
  if (host.world.find('ResourcePool', call.self.value) === undefined) return gone(call)
  const spec = parameter(call, 'spec')
  const problem = refusedSpec(spec)
  if (spec === undefined || problem !== undefined) return refused('InvalidArgument', problem ?? 'spec is missing')
  return returned(reference('returnval', 'HttpNfcLease', startImport(host, session, spec, parameter(call, 'host') !== undefined).value))
}

/** Descriptors and import specifications. */
export const ovfCalls: { readonly [method: string]: Handler } = {
  CreateDescriptor: createDescriptor,
  ParseDescriptor: parseDescriptor,
  CreateImportSpec: createImportSpec,
  ImportVApp: importVApp,
}
