// A repository without a store, for whoever has nothing else: what lies in it, whether it is whole, and its bytes. Reads only.

export type { RepositoryFile } from '../model/repository-file.ts'
export type { Finding } from '../model/run-outcome.ts'
export { type DiskFormat, type DiskStream, diskFormats, type EncodedDisk, encodeDisk } from '../transfer/disk-stream.ts'
export { httpPut, type PutBody, type PutOptions, type PutResult } from '../transfer/http-put.ts'
export { createProgressMeter, type Progress, type ProgressMeter, type ProgressMeterOptions } from '../transfer/progress-meter.ts'
export { openOffline } from './offline-repository.ts'
export type {
  OfflineFlags,
  OfflineOptions,
  OfflinePoint,
  OfflineRepository,
  OfflineVerifyOptions,
  OpenPoint,
  UnreadablePoint,
  VerifiedPoint,
} from './offline-types.ts'
