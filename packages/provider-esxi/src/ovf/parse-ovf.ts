import { type OvfContext, openOvfDocument } from './ovf-document.ts'
import type { Ovf } from './ovf-types.ts'
import { machineOf } from './parse-machine.ts'
import { disksOf, filesOf, networksOf } from './parse-references.ts'

/**
 * Reads a descriptor of OVF 1.0 or 1.1 with one machine, whatever prefixes it is written with. Names of files are safe to use as names of files; every
 * reference between files, disks, devices and networks resolves. Sizes are bytes. Of several deployment options the default one is taken. Source:
 * DSP0243, https://www.dmtf.org/standards/ovf; keys of VMware as vCenter writes them.
 * @throws the context's code with the line of what cannot be right; PATH_OUTSIDE for an `href` that is no plain file name; UNSUPPORTED_FORMAT for
 * another version of OVF; UNSUPPORTED for several machines.
 */
export function parseOvf(text: string, context: OvfContext): Ovf {
  const document = openOvfDocument(text, context)
  const files = filesOf(document)
  const disks = disksOf(document, files)
  const networks = networksOf(document)
  return { files, disks, networks, machine: machineOf(document, { files, disks, networks }) }
}
