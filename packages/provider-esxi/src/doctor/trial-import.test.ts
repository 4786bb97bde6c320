import { describe, expect, it } from 'vitest'
import { compareTrial } from './trial-import.ts'

const clusterBytes = 65_536

function sent(index: number): { index: number; bytes: Buffer } {
  const bytes = Buffer.alloc(clusterBytes)
  for (let at = 0; at < clusterBytes; at += 4) bytes.writeUInt32LE(index * clusterBytes + at, at)
  return { index, bytes }
}

const all = () => Array.from({ length: 64 }, (_, count) => sent(4 * count + 1))

async function* of(clusters: readonly { index: number; bytes: Buffer }[]) {
  yield* clusters
}

describe('what comes back of a trial', () => {
  it('is equal when all of it came, and nothing else but empty clusters', async () => {
    expect(await compareTrial(of([...all(), { index: 2, bytes: Buffer.alloc(clusterBytes) }]))).toEqual({ equal: 64, different: 0 })
  })

  it('is different where it is missing, changed, or was never sent', async () => {
    const changed = all().slice(1)
    changed[0]?.bytes.writeUInt8(7, 12_345)
    expect(await compareTrial(of([...changed, { index: 3, bytes: Buffer.alloc(clusterBytes, 1) }]))).toEqual({ equal: 62, different: 3 })
  })
})
