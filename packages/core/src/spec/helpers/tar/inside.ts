import { HoldfastError } from '../../errors.ts'
import { bufferOf } from './tar-header.ts'

/**
 * Throws PATH_OUTSIDE when a name in an archive is absolute, climbs above the folder it is unpacked in, or holds a zero byte. `a/../b` is inside:
 * whoever unpacks through the links of the archive must refuse more.
 */
export function assertInside(name: Uint8Array, what: string): void {
  if (name[0] === 0x2f || name.includes(0) || climbs(bufferOf(name))) {
    const shown = JSON.stringify(bufferOf(name).toString('utf8').slice(0, 200))
    throw new HoldfastError('PATH_OUTSIDE', `${what} ${shown} leaves the folder it would be unpacked in`)
  }
}

function climbs(name: Buffer): boolean {
  if (!name.includes('..')) return false
  let depth = 0
  for (const part of name.toString('latin1').split('/')) {
    if (part === '..') depth--
    else if (part !== '' && part !== '.') depth++
    if (depth < 0) return true
  }
  return false
}
