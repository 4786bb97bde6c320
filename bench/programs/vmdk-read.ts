// node vmdk-read.js IMAGE: reads all data of a streamOptimized VMDK, as many reads at once as it allows.
import { fileBlocks, openStreamOptimizedVmdk } from '@holdfast/disk-image'
import { meter, tellTimes } from './time-spent.ts'

const [image = ''] = process.argv.slice(2)
const { signal } = new AbortController()
const readBytes = 1 << 20

const reading = meter()
const file = await fileBlocks(image, { signal })
const disk = await openStreamOptimizedVmdk(
  { ...file, readInto: (target, offset, options) => reading.during(() => file.readInto(target, offset, options)) },
  { signal },
)

async function* pieces(): AsyncGenerator<{ offset: number; length: number }, void, undefined> {
  for await (const { offset, length, kind } of disk.extents({ signal })) {
    if (kind !== 'data') continue
    for (let at = 0; at < length; at += readBytes) yield { offset: offset + at, length: Math.min(readBytes, length - at) }
  }
}

const work = pieces()
async function reader(): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(readBytes)
  for (let next = await work.next(); !next.done; next = await work.next())
    await disk.readInto(buffer.subarray(0, next.value.length), next.value.offset, { signal })
}
await Promise.all(Array.from({ length: disk.readers ?? 1 }, reader))
await disk[Symbol.asyncDispose]()
tellTimes({ reading: reading.seconds })
