import type { ByteStream, CallOptions, MappedBlocks } from '../blocks.ts'
import { checkedExtents, createFingerprint, sameRuns } from '../checked-extents.ts'
import { clusterBytes } from '../clusters.ts'
import { DiskImageError } from '../errors.ts'
import { type Run, readAhead } from '../read-ahead.ts'
import { deflatedGrain, type GrainForm, storedGrainSectors, writeStoredGrain } from './encode-grains.ts'
import { encodeFront, encodeMarker, encodeTable, encodeVmdkHeader, written } from './encode-parts.ts'
import { largestDiskBytes, sectorBytes } from './format.ts'

/** What `encodeVmdk` is told. */
export interface EncodeVmdkOptions extends CallOptions {
  /** `deflated`: packed, its length is known at its end. `stored`: not packed, 0.9 % longer than its data, its length is known before its first byte. */
  readonly form: GrainForm
}

/** A streamOptimized VMDK that is laid out but not written yet. */
export interface EncodedVmdk {
  /** Exact length in bytes of the stream; absent in the form `deflated`. */
  readonly size?: number
  /** The bytes of the file; each call reads the source again. Chunks are lent: yours until you ask for the next one. */
  open(options: CallOptions): ByteStream
}

interface Plan {
  readonly capacity: number
  readonly grains: number
  readonly tables: number
  readonly fingerprint: string
}

const { tableEntries, tableSectors, overheadSectors } = written
/** Entries of the tables are sectors in 32 bits. */
const mostSectors = 2 ** 32 - 1

/** Zeros are left out. */
async function* dataRuns(source: MappedBlocks, options: CallOptions): AsyncGenerator<Run, void, undefined> {
  for await (const run of checkedExtents(source, options)) if (run.kind === 'data') yield run
}

async function planOf(source: MappedBlocks, options: CallOptions): Promise<Plan> {
  const fingerprint = createFingerprint()
  let [grains, tables, lastTable] = [0, 0, -1]
  for await (const run of dataRuns(source, options)) {
    fingerprint.add(run)
    grains += run.count
    const last = Math.floor((run.index + run.count - 1) / tableEntries)
    tables += last - Math.max(lastTable, Math.floor(run.index / tableEntries) - 1)
    lastTable = last
  }
  return { capacity: Math.ceil(source.size / sectorBytes), grains, tables, fingerprint: fingerprint.value() }
}

const directoryEntries = (capacity: number): number => Math.max(1, Math.ceil(capacity / (tableEntries * written.grainSectors)))

/** In the form `stored` every grain has the same length. */
function sectorsOf({ capacity, grains, tables }: Plan): number {
  const directory = 1 + Math.ceil((directoryEntries(capacity) * 4) / sectorBytes)
  const footer = 2
  const endOfStream = 1
  return overheadSectors + grains * storedGrainSectors + tables * (1 + tableSectors) + directory + footer + endOfStream
}

/** Where everything is, as it is written. */
function createPlaces(capacity: number) {
  const directory = new Uint32Array(directoryEntries(capacity))
  const table = new Uint32Array(tableEntries)
  let sector = overheadSectors
  let open = -1
  /** The table of the grains that were written last, once the next grain belongs to another one. */
  function* closeTable(): Generator<Buffer> {
    if (open < 0) return
    directory[open] = sector + 1
    const bytes = encodeTable('grainTable', table)
    sector += bytes.length / sectorBytes
    table.fill(0)
    open = -1
    yield bytes
  }
  return {
    /** What must be written before this grain. */
    *before(index: number): Generator<Buffer> {
      const own = Math.floor(index / tableEntries)
      if (own !== open) yield* closeTable()
      open = own
    },
    add(index: number, bytes: number): void {
      if (sector > mostSectors) throw new DiskImageError('INVALID_OPTIONS', 'a VMDK of more than 2 TiB cannot be written in this form')
      table[index % tableEntries] = sector
      sector += bytes / sectorBytes
    },
    /** Last table, directory, footer and end. */
    *end(): Generator<Buffer> {
      yield* closeTable()
      const directorySector = sector + 1
      yield encodeTable('grainDirectory', directory)
      yield encodeMarker('footer', 1)
      yield encodeVmdkHeader(capacity, directorySector)
      yield encodeMarker('endOfStream', 0)
    },
  }
}

interface Grain {
  readonly index: number
  readonly bytes: Buffer
}

function* grainsOf(runs: readonly Run[], bytes: Buffer): Generator<Grain> {
  let at = 0
  for (const run of runs)
    for (let index = run.index; index < run.index + run.count; index += 1, at += clusterBytes)
      yield { index, bytes: bytes.subarray(at, at + clusterBytes) }
}

/** The grains of one buffer. Packed ones are made at the same time, in the thread pool; the others use one buffer after the other. */
async function* packedGrains(form: GrainForm, grains: readonly Grain[], buffer: Buffer): AsyncGenerator<Grain> {
  const sectorOf = (index: number) => index * written.grainSectors
  if (form === 'stored') {
    for (const { index, bytes } of grains) {
      writeStoredGrain(buffer, sectorOf(index), bytes)
      yield { index, bytes: buffer }
    }
    return
  }
  const packed = grains.map(({ index, bytes }) => deflatedGrain(sectorOf(index), bytes))
  await Promise.all(packed)
  for (const [position, { index }] of grains.entries()) yield { index, bytes: (await packed[position]) as Buffer }
}

/**
 * A disk as a streamOptimized VMDK, as an import of a machine takes it: grains in the order of the disk, each table after its grains, directory, footer
 * and end-of-stream marker at the end. The data of the source is read once, ahead of the writer. Memory does not depend on the size of the disk but for 4
 * bytes for each 32 MiB. A size that is no multiple of 512 is rounded up. The source stays the caller's.
 * @throws INVALID_OPTIONS: an extent out of order, unaligned or outside the disk, extents that differ from call to call, more data than the form holds (2
 * TiB). What the source throws passes through; an aborted signal rejects with its reason.
 */
export async function encodeVmdk(source: MappedBlocks, options: EncodeVmdkOptions): Promise<EncodedVmdk> {
  if (!(source.size <= largestDiskBytes))
    throw new DiskImageError(
      'INVALID_OPTIONS',
      `a disk of ${source.size} bytes is larger than ${largestDiskBytes}, the most that a VMDK holds`,
    )
  const plan = await planOf(source, options)
  const sectors = sectorsOf(plan)
  if (options.form === 'stored' && sectors > mostSectors)
    throw new DiskImageError(
      'INVALID_OPTIONS',
      `a VMDK of ${sectors * sectorBytes} bytes cannot be written in this form: its tables reach 2 TiB`,
    )

  async function* stream({ signal }: CallOptions): AsyncGenerator<Uint8Array> {
    const places = createPlaces(plan.capacity)
    const buffer = Buffer.allocUnsafeSlow(storedGrainSectors * sectorBytes)
    yield encodeFront(plan.capacity)
    const runs = sameRuns(dataRuns(source, { signal }), plan.fingerprint)
    for await (const filled of readAhead(source, runs, () => undefined, { signal })) {
      for await (const grain of packedGrains(options.form, [...grainsOf(filled.runs, filled.bytes)], buffer)) {
        yield* places.before(grain.index)
        places.add(grain.index, grain.bytes.length)
        yield grain.bytes
      }
    }
    yield* places.end()
  }
  return {
    ...(options.form === 'stored' && { size: sectors * sectorBytes }),
    open: ({ signal }) => ({ [Symbol.asyncIterator]: () => stream({ signal }) }),
  }
}
