// node restore-http.js URL LAYER...: sends the disk of a chain (images, oldest first, their sums beside them) with one PUT, every cluster checked. Tells
// on standard error what it sent and what it wrote to any disk meanwhile.
import { httpPut } from '@holdfast/core/offline'
import { systemClock } from '@holdfast/core/spec'
import { encodeRaw } from '@holdfast/disk-image'
import { openChain } from '../open-chain.ts'

const [address = '', ...images] = process.argv.slice(2)
const { signal } = new AbortController()
const { view } = await openChain(
  images.map((image) => ({ image, sums: image.replace(/\.qcow2$/, '.sums') })),
  { signal },
)
const before = process.resourceUsage().fsWrite
const body = { mediaType: 'application/octet-stream', ...encodeRaw(view) }
const { bytes } = await httpPut(address, body, { clock: systemClock, signal })
await view[Symbol.asyncDispose]()
// The system counts sectors.
process.stderr.write(`${JSON.stringify({ bytes, writtenBytes: (process.resourceUsage().fsWrite - before) * 512 })}\n`)
