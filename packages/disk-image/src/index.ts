export type { BlockSource, ByteStream, CallOptions, Extent, Failure, MappedBlocks } from './blocks.ts'
