// Disks and files that are read by position, and where their data is.
export type { BlockSource, ByteStream, CallOptions, Extent, MappedBlocks } from './blocks.ts'
export { changedBlocks } from './changed-blocks.ts'
export { clusterBytes } from './clusters.ts'
export { fileBlocks } from './file-blocks.ts'
export { mapBlocks, openRawFile } from './map-blocks.ts'

// qcow2 images and chains of them.

export { chainView } from './chain-view.ts'
export { type EncodedQcow2, type EncodeQcow2Options, encodeQcow2 } from './qcow2/encode.ts'
export { openQcow2, type Qcow2Layer } from './qcow2/open.ts'

// VMDK images as exports of machines bring them.

export { type EncodedVmdk, type EncodeVmdkOptions, encodeVmdk } from './vmdk/encode.ts'
export { openStreamOptimizedVmdk } from './vmdk/open.ts'

// Sums of clusters: kept in a file, merged over a chain, compared while reading.

export type { ClusterSum, SumBatches } from './cluster-sums.ts'
export { logicalDigest, overlaySums, type SumLayer } from './merge-sums.ts'
export { encodeSums, openSums, type SumsFile } from './sums-file.ts'
export type { SumsHeader } from './sums-format.ts'
export { verifiedBlocks } from './verified-blocks.ts'

// Errors.

export type { Failure } from './blocks.ts'
export { DiskImageError, type DiskImageErrorCode, type DiskImageErrorDetails } from './errors.ts'
