import { type Accepted, describeMutants, type Refused, u64 } from '../../test/hostile-images.ts'
import { clusterBytes } from '../clusters.ts'

const header: readonly Refused[] = [
  ['bad magic', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt8(0, 0)],
  ...[0, 1, 4, 9, 0xffffffff].map(
    (version): Refused => [`version ${version}`, 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(version, 4)],
  ),
  ...[0, 8, 22, 63, 0xffffffff].map((bits): Refused => [`cluster_bits ${bits}`, 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(bits, 20)]),
  ['crypt_method 1, AES', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(1, 32)],
  ['crypt_method 2, LUKS', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(2, 32)],
  ['l1_size 0xffffffff, a memory bomb', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0xffffffff, 36)],
  ['l1_size of 32 MiB that the file does not have', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(4 * 1024 * 1024, 36)],
  ['l1_size too small for size: 0', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0, 36)],
  ['l1_size too small for size: size above the reach of L1', 'IMAGE_DAMAGED', (file) => u64(file, 24, 2n ** 40n)],
  ['size 2^60', 'IMAGE_DAMAGED', (file) => u64(file, 24, 2n ** 60n)],
  ['size 2^63, 8 EiB', 'IMAGE_DAMAGED', (file) => u64(file, 24, 2n ** 63n)],
  ['size 2^64-1', 'IMAGE_DAMAGED', (file) => u64(file, 24, 2n ** 64n - 1n)],
  ['L1 offset beyond EOF', 'IMAGE_DAMAGED', (file) => u64(file, 40, BigInt(file.length + clusterBytes))],
  ['L1 offset at EOF', 'IMAGE_DAMAGED', (file) => u64(file, 40, BigInt(file.length))],
  ['L1 offset 2^63', 'IMAGE_DAMAGED', (file) => u64(file, 40, 2n ** 63n)],
  ['L1 offset 2^64-65536: no wrap', 'IMAGE_DAMAGED', (file) => u64(file, 40, 2n ** 64n - 65_536n)],
  ['L1 offset unaligned', 'IMAGE_DAMAGED', (file, { l1 }) => u64(file, 40, BigInt(l1 + 512))],
  ['L1 over the header', 'IMAGE_DAMAGED', (file) => u64(file, 40, 0n)],
]

const features: readonly Refused[] = [
  ['corrupt bit', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(2, 76)],
  ['external data file bit', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(4, 76)],
  ['extended L2 bit', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(16, 76)],
  [
    'extended L2 with alloc and zero bits both set',
    'UNSUPPORTED_FORMAT',
    (file, { l2 }) => {
      file.writeUInt32BE(16, 76)
      u64(file, l2 + 8, 2n ** 64n - 1n)
    },
  ],
  ['unknown incompatible bit 5', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(32, 76)],
  ['unknown incompatible bit 31', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(0x80000000, 76)],
  ['unknown incompatible bit 32', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(1, 72)],
  ['unknown incompatible bit 63', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(0x80000000, 72)],
]

const compressionType: readonly Refused[] = [
  ['bit 3 with type 0', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(8, 76)],
  ['type 1 without bit 3', 'IMAGE_DAMAGED', (file) => file.writeUInt8(1, 104)],
  ...[2, 3, 127, 255].map(
    (type): Refused => [
      `compression_type ${type}`,
      'IMAGE_DAMAGED',
      (file) => {
        file.writeUInt8(type, 104)
        file.writeUInt32BE(8, 76)
      },
    ],
  ),
  [
    'bit 3 in a header that is too short for the type',
    'IMAGE_DAMAGED',
    (file) => {
      file.writeUInt32BE(104, 100)
      file.writeUInt32BE(8, 76)
    },
  ],
]

const lengths: readonly Refused[] = [
  ...[0, 72, 100, 103].map(
    (length): Refused => [`header_length < 104: ${length}`, 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(length, 100)],
  ),
  ['header_length not a multiple of 8', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(105, 100)],
  ['header_length > cluster', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(clusterBytes + 8, 100)],
  ['header_length 2^32-8', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0xfffffff8, 100)],
  ['header_length of a whole cluster, over the backing name', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(clusterBytes, 100)],
  ['extension length overrun', 'IMAGE_DAMAGED', (file, { extensions }) => file.writeUInt32BE(clusterBytes, extensions + 4)],
  ['extension length 2^32-1', 'IMAGE_DAMAGED', (file, { extensions }) => file.writeUInt32BE(0xffffffff, extensions + 4)],
  [
    'extension length that ends in the backing name',
    'IMAGE_DAMAGED',
    (file, { extensions, backingName }) => file.writeUInt32BE(backingName - extensions - 7, extensions + 4),
  ],
  [
    'extension without an end',
    'IMAGE_DAMAGED',
    (file, { extensions, backingName }) => {
      file.writeUInt32BE(0x11111111, extensions)
      file.writeUInt32BE(backingName - extensions - 8, extensions + 4)
    },
  ],
  [
    'extensions of no bytes, up to the end',
    'IMAGE_DAMAGED',
    (file, { extensions, backingName }) => {
      for (let at = extensions; at < backingName; at += 8) u64(file, at, 0x11111111n << 32n)
    },
  ],
]

const harmless: readonly Accepted[] = [
  ['unknown compatible bits', (file) => u64(file, 80, 2n ** 64n - 1n)],
  ['an unknown extension', (file, { extensions }) => file.writeUInt32BE(0x12345678, extensions)],
  [
    'an L1 table that is longer than the disk needs, with rubbish in what is not needed',
    (file, { l1 }) => {
      file.writeUInt32BE(100, 36)
      file.fill(0xff, l1 + 8, l1 + 800)
    },
  ],
]

describeMutants('a malformed qcow2 header', header)
describeMutants('qcow2 features', features, harmless)
describeMutants('a malformed qcow2 compression type', compressionType)
describeMutants('malformed lengths in a qcow2 header', lengths)

const cutTo = (size: number) => (disk: Buffer) => disk.subarray(0, size)
const withSize = (size: number): Accepted => [
  `size ${size}`,
  // The extension with the exact size belongs to another size now, and does not count.
  (file) => u64(file, 24, BigInt(size)),
  cutTo(size),
]
describeMutants(
  'qcow2 sizes',
  [['size > L1 reach by one byte', 'IMAGE_DAMAGED', (file) => u64(file, 24, 2n ** 29n + 1n)]],
  [
    ...[0, 1, 511, 512, 1000, clusterBytes - 1, clusterBytes, clusterBytes + 1, 2 * clusterBytes + 1000].map(withSize),
    [
      'size 0, without an L1 table',
      (file) => {
        u64(file, 24, 0n)
        file.writeUInt32BE(0, 36)
        u64(file, 40, 2n ** 64n - 1n)
      },
      cutTo(0),
    ],
  ],
)
