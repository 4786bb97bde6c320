import { clusterBytes } from '../bytes.ts'
import { seededRandom } from '../random.ts'

/** Data, zeros and data again, a cluster with one byte in it, and an end that is not at a cluster. */
export function diskForTests(seed = 7): Uint8Array {
  const bytes = new Uint8Array(9 * clusterBytes + 5 * 512)
  const random = seededRandom(seed)
  bytes.set(random.bytes(2 * clusterBytes), 0)
  bytes.set(random.bytes(clusterBytes + 100), 4 * clusterBytes)
  bytes[8 * clusterBytes - 1] = 1
  bytes.set(random.bytes(512), bytes.length - 512)
  return bytes
}
