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
export { type PackedQcow2, type PackQcow2Options, packQcow2 } from './qcow2/pack/pack.ts'
export { fileTarget, type PackTarget } from './qcow2/pack/target.ts'

// VMDK images as exports of machines bring them.

export type { PassingCluster } from './vmdk/cluster-cutter.ts'
export { createVmdkDecoder, type DecodedVmdk, decodeVmdkStream, type VmdkDecoder } from './vmdk/decode.ts'
export { type EncodedVmdk, type EncodeVmdkOptions, encodeVmdk } from './vmdk/encode.ts'
export { openStreamOptimizedVmdk } from './vmdk/open.ts'
export { scanVmdk, type VmdkScan } from './vmdk/scan.ts'

// Raw: a disk as its bytes, in order or by position.

export { type EncodedRaw, encodeRaw } from './raw/encode.ts'
export { type RawExtent, rawExtents } from './raw/extents.ts'

// Sums of clusters: kept in a file, merged over a chain, compared while reading.

export type { ClusterSum, SumBatches } from './cluster-sums.ts'
export { logicalDigest, overlaySums, type SumLayer } from './merge-sums.ts'
export { type PassingChanges, type PassingChangesOptions, passingChanges } from './passing-changes.ts'
export { type PassingSums, passingSums, type ScratchSpace } from './passing-sums.ts'
export { encodeSums, openSums, type SumsFile } from './sums-file.ts'
export type { SumsHeader } from './sums-format.ts'
export { verifiedBlocks } from './verified-blocks.ts'

// Errors.

export type { Failure } from './blocks.ts'
export { DiskImageError, type DiskImageErrorCode, type DiskImageErrorDetails } from './errors.ts'
