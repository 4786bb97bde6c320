// Stores and reads back a stream of `process.argv[2]` MiB and prints the largest resident size of this process in MiB after each. A child of transfer-memory.test.ts.
import { HoldfastError, type Repository } from '@holdfast/core/spec'
import { fakeClock } from '@holdfast/testkit'
import { createBackupSink, createProgressMeter, createRestoreSource } from '../src/transfer/index.ts'
import { manifestOf, never, workload } from './transfer-fixture.ts'

const mebibytes = Number(process.argv[2])
const clock = fakeClock()
const signal = never()
const files = new Map<string, Uint8Array>()

/** Keeps small files; of large ones only what compresses well stays small. */
const repository = {
  specVersion: 1,
  createIfAbsent: 'atomic',
  async put(path: string, bytes: AsyncIterable<Uint8Array>) {
    const parts: Uint8Array[] = []
    for await (const chunk of bytes) parts.push(new Uint8Array(chunk))
    const whole = Buffer.concat(parts)
    files.set(path, whole)
    return { size: whole.length }
  },
  async open(path: string) {
    const bytes = files.get(path)
    if (bytes === undefined) throw new HoldfastError('NOT_FOUND', path)
    return {
      size: bytes.length,
      readInto: async (target: Uint8Array, offset: number) => target.set(bytes.subarray(offset, offset + target.length)),
      async *stream({ start, end }: { start: number; end: number }) {
        for (let at = start; at < end; at += 65_536) yield bytes.subarray(at, Math.min(end, at + 65_536))
      },
      async [Symbol.asyncDispose]() {},
    }
  },
} as unknown as Repository

function header(name: string, size: number): Buffer {
  const block = Buffer.alloc(512)
  block.write(name)
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  block.write('0', 156)
  block.fill(0x20, 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** One file of 1 MiB for each MiB. The same chunk is lent again and again. */
async function* archive(): AsyncGenerator<Uint8Array> {
  const content = Buffer.alloc(65_536, 'what a text file may hold, again and again; ')
  for (let index = 0; index < mebibytes; index++) {
    yield header(`file-${index}`, 1_048_576)
    for (let part = 0; part < 16; part++) yield content
  }
  yield Buffer.alloc(1024)
}

const meter = createProgressMeter({ clock })
const open = createBackupSink({ repository, folder: 'shop/p1', number: 1, compression: 'zstd', meter, clock, stallMs: 60_000, signal })
await open.sink.stream({ name: 'v.tar', format: 'tar', open: async () => archive() })
const maxRss = () => Math.round(process.resourceUsage().maxRSS / 1024)
const point = manifestOf('p1', await open.finish({ signal }))
const stored = maxRss()
const source = createRestoreSource({ repository, point, ancestors: new Map(), workload, meter, clock, stallMs: 60_000, signal })
let size = 0
for await (const chunk of (await source.files[0]?.open({ signal })) ?? []) size += chunk.length
process.stdout.write(JSON.stringify({ size, stored, restored: maxRss() }))
