import type { Machine } from '@holdfast/core/spec'

type Guest = Machine['guest']

/** Parts of the words that hosts have for guests of the family. Source: vim.vm.GuestOsDescriptor.GuestOsIdentifier. */
const linuxWords = /linux|ubuntu|debian|rhel|redhat|centos|fedora|sles|suse|oracle|photon|coreos|rocky|alma|amazon|asianux|mandr|turbo/i

/** The family of a word of VMware. */
export function guestFamily(osType: string): Guest['family'] {
  if (/^(win|dos)/i.test(osType)) return 'windows'
  return linuxWords.test(osType) ? 'linux' : 'other'
}

/**
 * Words of other platforms (libosinfo, oVirt) and what VMware calls the same. The oldest word that fits, since a host refuses those that it does not know
 * yet, and a newer guest runs under an older word.
 */
const words: readonly (readonly [RegExp, string])[] = [
  [/ubuntu/i, 'ubuntu64Guest'],
  [/debian/i, 'debian10_64Guest'],
  [/centos/i, 'centos7_64Guest'],
  [/oracle|^ol\d/i, 'oracleLinux7_64Guest'],
  [/rhel|red_?hat|rocky|alma/i, 'rhel7_64Guest'],
  [/sles|suse.*enterprise/i, 'sles12_64Guest'],
  [/suse/i, 'opensuse64Guest'],
  [/fedora/i, 'fedora64Guest'],
  [/freebsd/i, 'freebsd64Guest'],
  [/win.*2008/i, 'windows7Server64Guest'],
  [/win.*2012/i, 'windows8Server64Guest'],
  [/win.*(20\d\d|server|srv)/i, 'windows9Server64Guest'],
  [/win.*(xp|vista|[^\d]7)/i, 'windows7_64Guest'],
  [/win.*8/i, 'windows8_64Guest'],
]
const families: { readonly [family in Guest['family']]: string } = {
  linux: 'other3xLinux64Guest',
  windows: 'windows9_64Guest',
  other: 'otherGuest64',
}

const isOfVmware = (id: string): boolean => /^[a-z0-9_]+Guest(64)?$/i.test(id)

/** What a host calls this guest; a word of VMware stays as it is. */
export function osTypeOf({ id = '', family }: Guest): string {
  if (isOfVmware(id)) return id
  return words.find(([pattern, osType]) => pattern.test(id) && guestFamily(osType) === family)?.[1] ?? families[family]
}

/** The number that CIM has for it; hosts go by the word. Source: CIM_OperatingSystem, OSType. */
export const osNumberOf = ({ family }: Guest): number => ({ linux: 101, windows: 1, other: 102 })[family]
