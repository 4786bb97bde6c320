export type { BlockSource, ByteStream, CallOptions, Extent, MappedBlocks } from '@holdfast/disk-image'
