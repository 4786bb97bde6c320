import { HoldfastError, showValue } from '@holdfast/core/spec'

/** The descriptor of a disk with one flat file. */
export interface FlatDescriptor {
  /** Name of the file beside the descriptor. */
  readonly extent: string
  /** Bytes that the guest sees. */
  readonly size: number
}

/** Descriptors have some hundred bytes; what is larger is a disk that begins with one. */
export const longestDiskDescriptor = 64 * 1024

const flatTypes = new Set(['vmfs', 'vmfsThin', 'vmfsEagerZeroedThick', 'vmfsPreallocated', 'monolithicFlat'])

/** What other kinds are, as people know them. */
const otherTypes: { readonly [type: string]: string } = {
  vmfsSparse: 'it is a delta of a snapshot',
  seSparse: 'it is a delta of a snapshot in the form sesparse',
  vmfsRawDeviceMap: 'it is a raw device',
  vmfsPassthroughRawDeviceMap: 'it is a raw device',
  vsanSparse: 'it is a delta on vSAN',
  vsan: 'it is an object of vSAN',
  vvol: 'it is an object of a storage system',
}

const noFlat = (what: string, why: string): HoldfastError =>
  new HoldfastError('UNSUPPORTED', `${what} has no flat file that can be read: ${why}.`, {
    remedy: 'Back the machine up with the mode "ovf".',
  })

const damaged = (what: string, why: string): HoldfastError =>
  new HoldfastError('PROVIDER_FAILED', `The descriptor of ${what} cannot be understood: ${why}.`, {
    retryable: false,
    remedy: 'Back the machine up with the mode "ovf".',
  })

interface Lines {
  readonly settings: ReadonlyMap<string, string>
  readonly extents: readonly { readonly access: string; readonly sectors: number; readonly kind: string; readonly rest: string }[]
}

function linesOf(text: string, what: string): Lines {
  const settings = new Map<string, string>()
  const extents: Lines['extents'][number][] = []
  for (const line of text.split(/\r?\n/).map((one) => one.trim())) {
    if (line === '' || line.startsWith('#')) continue
    const [, access, sectors, kind, rest] = /^(RW|RDONLY|NOACCESS)\s+(\d{1,13})\s+([A-Z]+)\s*(.*)$/.exec(line) ?? []
    const [, key, value] = /^([\w.:-]+)\s*=\s*(.*)$/.exec(line) ?? []
    if (access !== undefined && kind !== undefined) extents.push({ access, sectors: Number(sectors), kind, rest: rest ?? '' })
    else if (key === undefined || value === undefined) throw damaged(what, `the line ${showValue(line.slice(0, 60))} means nothing`)
    else if (settings.has(key)) throw damaged(what, `it says ${key} twice`)
    else settings.set(key, value.replace(/^"(.*)"$/, '$1'))
  }
  return { settings, extents }
}

/**
 * Reads the descriptor of a disk that lies whole in one flat file.
 * @param what For errors, such as `Hard disk 1 of web`.
 * @throws UNSUPPORTED: a disk of another kind, a delta, or one in several files. PROVIDER_FAILED (not retryable): no descriptor.
 *
 * Source: VMware Virtual Disk Format 5.0, "The Descriptor".
 */
export function parseFlatDescriptor(text: string, what: string): FlatDescriptor {
  const { settings, extents } = linesOf(text, what)
  const type = settings.get('createType')
  if (type === undefined) throw damaged(what, 'it has no createType')
  if (!flatTypes.has(type))
    throw noFlat(what, (Object.hasOwn(otherTypes, type) && otherTypes[type]) || `it is of the kind ${showValue(type)}`)
  const parent = settings.get('parentCID')
  if (parent === undefined || parent.toLowerCase() !== 'ffffffff' || settings.has('parentFileNameHint'))
    throw noFlat(what, parent === undefined ? 'it does not say that it has no parent' : 'it holds the changes to another disk')
  const [extent, second] = extents
  if (extent === undefined || second !== undefined) throw noFlat(what, `it is made of ${extents.length} files`)
  const [, name, start] = /^"([^"]+)"(?:\s+(\d+))?$/.exec(extent.rest) ?? []
  if (extent.access !== 'RW' || name === undefined || (start !== undefined && start !== '0'))
    throw damaged(what, 'its extent is not a whole file')
  if (!['VMFS', 'FLAT'].includes(extent.kind) || !name.endsWith('-flat.vmdk'))
    throw noFlat(what, `its data is ${showValue(name)} (${extent.kind})`)
  return { extent: name, size: extent.sectors * 512 }
}
