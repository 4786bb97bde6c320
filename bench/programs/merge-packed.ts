// node merge-packed.js HOW CODEC FILE IMAGE...: writes the images (oldest first, `x.sums` beside each `x.qcow2`) as one packed image, durably.
// HOW is `verified` (each cluster is compared with its sum, the sums are laid over each other and stored as FILE.sums) or `plain` (without sums).
import { open, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { type ClusterSum, encodeSums, fileTarget, logicalDigest, overlaySums, packQcow2, type SumBatches } from '@holdfast/disk-image'
import { openChain } from '../open-chain.ts'
import { meter, meteredReads, tellTimes } from './time-spent.ts'

const [how = '', codec = '', path = '', ...images] = process.argv.slice(2)
if (codec !== 'deflate' && codec !== 'zstd') throw new Error(`${codec} is no codec`)
const { signal } = new AbortController()
const [reading, comparing, writing] = [meter(), meter(), meter()]

const layers = images.map((image) => ({ image, ...(how === 'verified' && { sums: image.replace(/\.qcow2$/, '.sums') }) }))
const chain = await openChain(layers, { signal, reads: (blocks) => meteredReads(blocks, reading) })
const view = meteredReads(chain.view, comparing)

async function* withoutZeros(sums: SumBatches): AsyncGenerator<readonly ClusterSum[]> {
  for await (const batch of sums) yield batch.filter(({ kind }) => kind === 'data')
}

const file = await open(path, 'wx')
const target = fileTarget(file)
const { counts } = await packQcow2(
  view,
  { write: (...parameters) => writing.during(() => target.write(...parameters)) },
  { covers: 'all', codec, workers: Math.min(availableParallelism(), 4), signal },
)
await writing.during(() => file.sync())
await file.close()
if (how === 'verified') {
  const overlaid = () => withoutZeros(overlaySums(chain.sums))
  await writeFile(`${path}.sums`, encodeSums({ size: view.size, count: counts.packed + counts.plain }, overlaid()).bytes, { flush: true })
  await logicalDigest(overlaid())
}
await view[Symbol.asyncDispose]()
tellTimes({ reading: reading.seconds, reading_and_comparing: comparing.seconds, writing: writing.seconds })
