import { noise } from '../support.ts'
import type { Anatomy, Field } from './fields.ts'

type Random = () => number

const below = (random: Random, limit: number): number => Math.floor(random() * limit)
const pick = <T>(random: Random, values: readonly T[]): T => values[below(random, values.length)] as T

function readField(file: Buffer, { at, bytes }: Field, bigEndian: boolean): bigint {
  const raw = Buffer.from(file.subarray(at, at + bytes))
  if (!bigEndian) raw.reverse()
  return raw.length === 0 ? 0n : BigInt(`0x${raw.toString('hex')}`)
}

function writeField(file: Buffer, { at, bytes }: Field, value: bigint, bigEndian: boolean): void {
  const raw = Buffer.alloc(8)
  raw.writeBigUInt64BE(BigInt.asUintN(64, value))
  const own = raw.subarray(8 - bytes)
  if (!bigEndian) own.reverse()
  own.copy(file, Math.min(at, file.length))
}

/** Values at which programs break: powers of two and their neighbours, the end of the file, what other fields say. */
function interesting(random: Random, file: Buffer, field: Field, { bigEndian, unit, fields }: Anatomy): bigint {
  const power = 1n << BigInt(below(random, field.bytes * 8))
  const other = readField(file, pick(random, fields), bigEndian)
  const own = readField(file, field, bigEndian)
  const step = BigInt(pick(random, [1, -1, 8, 511, 512, unit, -unit]))
  const end = BigInt(file.length)
  return pick(random, [
    0n,
    1n,
    power,
    power - 1n,
    power + 1n,
    -1n,
    own ^ power,
    own + step,
    own * 2n,
    other,
    other + step,
    end,
    end - 1n,
    end + step,
    end / BigInt(unit) + BigInt(below(random, 3) - 1),
    BigInt(below(random, file.length / unit)) * BigInt(unit),
    (1n << 63n) | (BigInt(below(random, file.length / unit)) * BigInt(unit)),
    (1n << 62n) | BigInt(below(random, file.length)) | (BigInt(below(random, 256)) << 54n),
  ])
}

/** A place where the format says something, or anywhere. */
function place(random: Random, file: Buffer, anatomy: Anatomy): number {
  const at = random() < 0.7 ? pick(random, anatomy.fields).at + below(random, 8) : below(random, file.length)
  return Math.min(at, Math.max(0, file.length - 1))
}

type Mutation = (file: Buffer, random: Random, anatomy: Anatomy) => Buffer

const setField: Mutation = (file, random, anatomy) => {
  const field = pick(random, anatomy.fields)
  if (file.length > anatomy.unit) writeField(file, field, interesting(random, file, field, anatomy), anatomy.bigEndian)
  return file
}
const flipBits: Mutation = (file, random, anatomy) => {
  for (let count = 1 + below(random, 8); count > 0 && file.length > 0; count -= 1) {
    const at = place(random, file, anatomy)
    file.writeUInt8(file.readUInt8(at) ^ (1 << below(random, 8)), at)
  }
  return file
}
const fillRun: Mutation = (file, random, anatomy) => {
  const at = place(random, file, anatomy)
  const end = Math.min(file.length, at + 1 + below(random, pick(random, [8, 64, 512, 70_000])))
  if (random() < 0.3) noise(end - at, random).copy(file, at)
  else file.fill(pick(random, [0, 1, 0x7f, 0x80, 0xff]), at, end)
  return file
}
const cut: Mutation = (file, random, anatomy) => {
  const at = random() < 0.5 ? place(random, file, anatomy) : below(random, file.length / 512) * 512
  return file.subarray(0, at)
}
const extend: Mutation = (file, random) => {
  const length = 1 + below(random, pick(random, [512, 4096, 140_000]))
  const longer = Buffer.from(file.buffer, file.byteOffset, Math.min(file.length + length, file.buffer.byteLength))
  const added = longer.subarray(file.length)
  if (random() < 0.5) added.fill(0)
  else noise(added.length, random).copy(added)
  return longer
}
/** Copies a block over another place, or swaps the two. */
const moveBlock: Mutation = (file, random, anatomy) => {
  const length = pick(random, [8, 512, anatomy.unit, 65_536])
  if (file.length < 2 * length) return file
  const [from, to] = [below(random, file.length / length) * length, below(random, file.length / length) * length]
  const old = Buffer.from(file.subarray(to, to + length))
  file.copy(file, to, from, from + length)
  if (random() < 0.5) old.copy(file, from)
  return file
}

const mutations: readonly Mutation[] = [
  setField,
  setField,
  setField,
  setField,
  flipBits,
  flipBits,
  fillRun,
  moveBlock,
  moveBlock,
  extend,
  cut,
]

/** A mutant of a good image: a few changes that `random` decides. It is made in `workspace`, whose memory is larger, so that what a process takes is what the reader takes. */
export function mutate(original: Buffer, workspace: ArrayBuffer, anatomy: Anatomy, random: Random): Buffer {
  let file: Buffer = Buffer.from(workspace, 0, original.length)
  original.copy(file)
  do file = pick(random, mutations)(file, random, anatomy)
  while (random() < 0.45)
  return file
}
