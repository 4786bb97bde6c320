/** What is fixed in a sparse VMDK. Its numbers are little-endian, its offsets count sectors. Source: "Virtual Disk Format 5.0", VMware. */
export const sectorBytes = 512
export const magic = 0x564d444b
export const flags = { zeroGrains: 4, compressedGrains: 0x10000, markers: 0x20000 } as const
/** `\n \r\n` at byte 73: a transfer as text changes it. */
export const newlines = 0x0a0d200a
export const deflate = 1
export const markerTypes = { endOfStream: 0, grainTable: 1, grainDirectory: 2, footer: 3 } as const
/** Sector and length before the data of a grain. */
export const grainMarkerBytes = 12
/** The most packed bytes of a grain that any reader takes: zlib allows for more than the plain ones, in small blocks that are not compressed. */
export const mostPackedBytes = (grainBytes: number): number => 2 * grainBytes
/** Sector of a grain that is known to be zero. */
export const zeroGrain = 1

/** 64 TiB: more than a virtual disk of VMware can have. Keeps the tables that a hostile file makes us read small. */
export const largestDiskBytes = 64 * 2 ** 40
export const largestGrainSectors = 2048
/** One sector. Every known writer makes 512. */
export const smallestTableEntries = 128
export const largestTableEntries = 65_536
export const largestDescriptorBytes = 1024 * 1024
