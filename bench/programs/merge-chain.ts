// node merge-chain.js HOW FOLDER IMAGE...: writes the images (oldest first, `x.sums` beside each `x.qcow2`) as one into a new repository in the folder.
// HOW is `verified` (each cluster is compared with its sum, the sums are laid over each other), `plain` (without sums), or `rollup`: verified, and the first
// image is not merged but stays what the new one builds on.
import { basename } from 'node:path'
import { localRepository } from '@holdfast/core'
import { type ClusterSum, encodeQcow2, encodeSums, logicalDigest, overlaySums, type SumBatches } from '@holdfast/disk-image'
import { openChain } from '../open-chain.ts'
import { meter, meteredReads, meteredWrites, tellTimes } from './time-spent.ts'

const [how = '', folder = '', ...images] = process.argv.slice(2)
const { signal } = new AbortController()
const [reading, comparing, writing] = [meter(), meter(), meter()]

const merged = how === 'rollup' ? images.slice(1) : images
const layers = merged.map((image) => ({ image, ...(how !== 'plain' && { sums: image.replace(/\.qcow2$/, '.sums') }) }))
const chain = await openChain(layers, { signal, reads: (blocks) => meteredReads(blocks, reading) })
const view = meteredReads(chain.view, comparing)
const repository = localRepository({ folder })
const options = { signal, ifAbsent: true }

async function* withoutZeros(sums: SumBatches): AsyncGenerator<readonly ClusterSum[]> {
  for await (const batch of sums) yield batch.filter(({ kind }) => kind === 'data')
}

const qcow2 =
  how === 'rollup'
    ? await encodeQcow2(view, { covers: 'changes', backing: basename(images[0] ?? ''), signal })
    : await encodeQcow2(view, { covers: 'all', signal })
await repository.put('disk.qcow2', meteredWrites(qcow2.open({ signal }), writing), { ...options, size: qcow2.size })
if (how !== 'plain') {
  const overlaid = () => (how === 'rollup' ? overlaySums(chain.sums) : withoutZeros(overlaySums(chain.sums)))
  const sums = encodeSums({ size: view.size, count: qcow2.counts.data + qcow2.counts.zero }, overlaid())
  await repository.put('disk.sums', sums.bytes, { ...options, size: sums.size })
  await logicalDigest(overlaid())
}
await view[Symbol.asyncDispose]()
tellTimes({ reading: reading.seconds, reading_and_comparing: comparing.seconds, writing: writing.seconds })
