import { clusterBytes } from '../clusters.ts'

/** What is fixed in the qcow2 files written and read here. Source: docs/interop/qcow2.txt of QEMU. */
export const magic = 0x514649fb
export const clusterBits = 16
export const headerBytes = 112
/** Entries of an L2 table, which has one cluster: 512 MiB of disk. */
export const tableEntries = clusterBytes / 8
/** Refcounts of 16 bits in one block: 2 GiB of file. */
export const countsPerBlock = clusterBytes / 2
export const refcountOrder = 4
/** The limits of QEMU for tables in memory. */
export const largestL1Bytes = 32 * 1024 * 1024
export const largestRefcountTableClusters = 128
/** 2 PiB: what an L1 table of 32 MiB reaches. */
export const largestDiskBytes = (largestL1Bytes / 8) * tableEntries * clusterBytes
export const longestBackingName = 1023
/** QEMU counts a disk in sectors: the header says the size rounded up to them. */
export const sectorBytes = 512

export const extensions = {
  end: 0,
  backingFormat: 0xe2792aca,
  /** Ours, ignored by others as the format asks: the exact size in bytes of a disk that is not a whole number of sectors. */
  exactSize: 0x48464558,
} as const
