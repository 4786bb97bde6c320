import { type Accepted, compressed, copied, describeMutants, type Refused, sectors, u64 } from '../../test/hostile-images.ts'
import { clusterBytes } from '../clusters.ts'

const beyond = (file: Buffer) => BigInt(file.length + clusterBytes)

const refcounts: readonly Refused[] = [
  ['refcount_order 7', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(7, 96)],
  ['refcount_order 2^32-1', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0xffffffff, 96)],
  ['table size 0', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0, 56)],
  ['table size 2^32-1', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0xffffffff, 56)],
  ['table size of 8 MiB that the file does not have', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(128, 56)],
  ['table beyond EOF', 'IMAGE_DAMAGED', (file) => u64(file, 48, beyond(file))],
  ['table at 2^64-65536: no wrap', 'IMAGE_DAMAGED', (file) => u64(file, 48, 2n ** 64n - 65_536n)],
  ['table unaligned', 'IMAGE_DAMAGED', (file, { refcountTable }) => u64(file, 48, BigInt(refcountTable + 8))],
  ['table over the header', 'IMAGE_DAMAGED', (file) => u64(file, 48, 0n)],
  ['table over the L1 table', 'IMAGE_DAMAGED', (file, { l1 }) => u64(file, 48, BigInt(l1))],
  ['entries unaligned', 'IMAGE_DAMAGED', (file, { refcountTable }) => u64(file, refcountTable, 12_345n)],
  ['entries beyond EOF', 'IMAGE_DAMAGED', (file, { refcountTable }) => u64(file, refcountTable, beyond(file))],
  ['entries at 2^63', 'IMAGE_DAMAGED', (file, { refcountTable }) => u64(file, refcountTable, 2n ** 63n)],
  ['entries with reserved bits', 'IMAGE_DAMAGED', (file, { refcountTable }) => u64(file, refcountTable + 8, 1n)],
  [
    'two blocks in one place',
    'IMAGE_DAMAGED',
    (file, { refcountTable, refcountBlock }) => u64(file, refcountTable + 8, BigInt(refcountBlock)),
  ],
]

const reading: readonly Accepted[] = [
  ...[0, 1, 2, 3, 4, 5, 6].map((order): Accepted => [`refcount_order ${order}`, (file) => file.writeUInt32BE(order, 96)]),
  ['refcount 0 for used clusters', (file, { refcountBlock }) => file.fill(0, refcountBlock, refcountBlock + clusterBytes)],
  [
    'refcounts at their largest, which overflow when they are counted',
    (file, { refcountBlock }) => file.fill(0xff, refcountBlock, refcountBlock + clusterBytes),
  ],
  ['no refcount block at all', (file, { refcountTable }) => u64(file, refcountTable, 0n)],
]

const l1Entries: readonly Refused[] = [
  ['L2 pointer beyond EOF', 'IMAGE_DAMAGED', (file, { l1 }) => u64(file, l1, copied | beyond(file))],
  [
    'L2 pointer whose table ends beyond EOF',
    'IMAGE_DAMAGED',
    (file, { l1, dataStart }) => {
      u64(file, l1, copied | BigInt(dataStart))
      return file.subarray(0, dataStart + clusterBytes - 8)
    },
  ],
  ['L2 pointer unaligned', 'IMAGE_DAMAGED', (file, { l1, l2 }) => u64(file, l1, copied | BigInt(l2 + 512))],
  [
    'L2 pointer shared by two L1 entries',
    'IMAGE_DAMAGED',
    (file, { l1 }) => {
      u64(file, 24, 2n ** 30n)
      file.writeUInt32BE(2, 36)
      file.copy(file, l1 + 8, l1, l1 + 8)
    },
  ],
  ['(a) an L1 entry pointing at the L1 table', 'IMAGE_DAMAGED', (file, { l1 }) => u64(file, l1, copied | BigInt(l1))],
  [
    '(a) an L1 entry pointing at the refcount table',
    'IMAGE_DAMAGED',
    (file, { l1, refcountTable }) => u64(file, l1, copied | BigInt(refcountTable)),
  ],
  [
    '(a) an L1 entry pointing at a refcount block',
    'IMAGE_DAMAGED',
    (file, { l1, refcountBlock }) => u64(file, l1, copied | BigInt(refcountBlock)),
  ],
  ['an L1 entry pointing at data', 'IMAGE_DAMAGED', (file, { l1, dataStart }) => u64(file, l1, copied | BigInt(dataStart))],
  ...[0, 8, 56, 61, 62].map(
    (bit): Refused => [
      `reserved bit ${bit} of an L1 entry set`,
      'IMAGE_DAMAGED',
      (file, { l1 }) => u64(file, l1, file.readBigUInt64BE(l1) | (1n << BigInt(bit))),
    ],
  ),
]

const l2Entries: readonly Refused[] = [
  ['data cluster beyond EOF', 'IMAGE_DAMAGED', (file, { l2 }) => u64(file, l2, copied | beyond(file))],
  ['data cluster at 2^55', 'IMAGE_DAMAGED', (file, { l2 }) => u64(file, l2, copied | (2n ** 55n))],
  ['data cluster unaligned', 'IMAGE_DAMAGED', (file, { l2, dataStart }) => u64(file, l2, copied | BigInt(dataStart + 512))],
  ['(b) an L2 entry pointing at the header', 'IMAGE_DAMAGED', (file, { l2 }) => u64(file, l2, copied)],
  ['(b) an L2 entry pointing at the L1 table', 'IMAGE_DAMAGED', (file, { l1, l2 }) => u64(file, l2, copied | BigInt(l1))],
  [
    '(b) an L2 entry pointing at the refcount table',
    'IMAGE_DAMAGED',
    (file, { l2, refcountTable }) => u64(file, l2, copied | BigInt(refcountTable)),
  ],
  [
    '(b) an L2 entry pointing at a refcount block',
    'IMAGE_DAMAGED',
    (file, { l2, refcountBlock }) => u64(file, l2, copied | BigInt(refcountBlock)),
  ],
  ['(b) an L2 entry pointing at its own table', 'IMAGE_DAMAGED', (file, { l2 }) => u64(file, l2, copied | BigInt(l2))],
  ['two standard guest clusters in one host cluster', 'IMAGE_DAMAGED', (file, { l2 }) => file.copy(file, l2 + 8, l2, l2 + 8)],
  [
    'zero flag + allocated offset of another cluster',
    'IMAGE_DAMAGED',
    (file, { l2 }) => {
      file.copy(file, l2 + 8, l2, l2 + 8)
      file.writeUInt8(1, l2 + 15)
    },
  ],
  ['zero flag + allocated offset beyond EOF', 'IMAGE_DAMAGED', (file, { l2 }) => u64(file, l2, copied | beyond(file) | 1n)],
  ['zero flag + allocated offset of the L1 table', 'IMAGE_DAMAGED', (file, { l1, l2 }) => u64(file, l2, copied | BigInt(l1) | 1n)],
  [
    'an entry past the end of the disk that points at the L1 table',
    'IMAGE_DAMAGED',
    (file, { l1, l2 }) => u64(file, l2 + 800, copied | BigInt(l1)),
  ],
  ...[1, 2, 3, 4, 5, 6, 7, 8, 56, 57, 58, 59, 60, 61].map(
    (bit): Refused => [
      `reserved bit ${bit} of an L2 entry set`,
      'IMAGE_DAMAGED',
      (file, { l2 }) => u64(file, l2, file.readBigUInt64BE(l2) | (1n << BigInt(bit))),
    ],
  ),
  [
    'bit 0 of L2 set in a version 2 image',
    'IMAGE_DAMAGED',
    (file, { l2 }) => {
      file.writeUInt32BE(2, 4)
      u64(file, l2, 1n)
    },
  ],
]

const hidden: readonly Accepted[] = [
  ['zero flag + allocated offset of its own', (file, { l2 }) => file.writeUInt8(1, l2 + 7), (disk) => disk.fill(0, 0, clusterBytes)],
  ['zero flag without an offset', (file, { l2 }) => u64(file, l2, 1n), (disk) => disk.fill(0, 0, clusterBytes)],
  [
    'without the COPIED bits',
    (file, { l1, l2 }) => {
      file.writeUInt8(0, l1)
      for (let entry = 0; entry < 4; entry += 1) file.writeUInt8(0, l2 + entry * 8)
    },
  ],
]

const packed: readonly Refused[] = [
  ['offset beyond EOF', 'IMAGE_DAMAGED', (file, { l2 }) => u64(file, l2, compressed | beyond(file))],
  ['offset at EOF', 'IMAGE_DAMAGED', (file, { l2 }) => u64(file, l2, compressed | BigInt(file.length))],
  ['offset 2^53', 'IMAGE_DAMAGED', (file, { l2 }) => u64(file, l2, compressed | (1n << 53n))],
  ['descriptor bits all set', 'IMAGE_DAMAGED', (file, { l2 }) => u64(file, l2, compressed | ((1n << 62n) - 1n))],
  ['in the header', 'IMAGE_DAMAGED', (file, { l2 }) => u64(file, l2, compressed | 512n)],
  ['in the L1 table', 'IMAGE_DAMAGED', (file, { l1, l2 }) => u64(file, l2, compressed | BigInt(l1 + 7))],
  ['in its own L2 table', 'IMAGE_DAMAGED', (file, { l2 }) => u64(file, l2, compressed | BigInt(l2 + 4096))],
  [
    'where the data of another is',
    'IMAGE_DAMAGED',
    (file, { l2, dataStart }) => u64(file, l2, compressed | BigInt(dataStart + clusterBytes)),
  ],
  [
    'length max, into the data of another',
    'IMAGE_DAMAGED',
    (file, { l2, dataStart }) => u64(file, l2, compressed | sectors(255) | BigInt(dataStart)),
  ],
  ['marked as copied', 'IMAGE_DAMAGED', (file, { l2, dataStart }) => u64(file, l2, copied | compressed | BigInt(dataStart))],
]

describeMutants('malformed qcow2 refcounts', refcounts, reading)
describeMutants('a malformed qcow2 L1 table', l1Entries)
describeMutants('a malformed qcow2 L2 table', l2Entries, hidden)
describeMutants('malformed places of compressed qcow2 clusters', packed)
