// biome-ignore lint/style/noRestrictedImports: the one real clock; plug-ins that wait take a Clock and have this one as its default.
export { systemClock } from '../clock.ts'
export type { BackupRequest, BackupResult, BackupSink, Base, BlocksItem, Disk, Receipt, StreamItem } from './backup.ts'
export type { BlockSource, ByteStream, CallOptions, Extent, MappedBlocks } from './blocks.ts'
export type { Check } from './check.ts'
export type { Clock, Ids } from './clock.ts'
export { type ErrorCode, type ErrorCodeEntry, errorCodes } from './error-codes.ts'
export { codeOf, HoldfastError, type HoldfastErrorOptions } from './errors.ts'
export type { Fence, FenceResult, Observation, Observer } from './failover.ts'
export type { FileSystem, FileSystemEntry, OpenFile } from './file-system.ts'
export {
  abortError,
  assertSafeName,
  assertSafePath,
  bytesOf,
  collectBytes,
  createLentAnswer,
  createTarScanner,
  formatBytes,
  formatDuration,
  invalidOptions,
  isErrorCode,
  type LentAnswer,
  type LentAnswerOptions,
  type LentBodyOptions,
  mapError,
  nearest,
  type OptionsIssue,
  type OptionsMistake,
  type OptionsSchema,
  oneLine,
  type PaxRecords,
  type Pull,
  parseStrict,
  pathText,
  pullFrom,
  readTarAttributes,
  showValue,
  type TarAttributes,
  type TarContext,
  type TarEntry,
  type TarHeader,
  type TarScanner,
  type TarScannerOptions,
  throwIfAborted,
  unknownKeys,
  withDeadline,
} from './helpers/index.ts'
export type { Json } from './json.ts'
export type { Logger } from './logger.ts'
export type { Notification, Notifier } from './notifier.ts'
export type { PowerAbility, ProbeAbility, Provider, Snapshot, SnapshotAbility } from './provider.ts'
export type { Repository, StoredBytes } from './repository.ts'
export type { ArchiveEntry, RestoreRequest, RestoreResult, RestoreSource, StoredDisk, StoredFile } from './restore.ts'
export type { Intent, Mark, OpenIntent, RunContext } from './run-context.ts'
export { clockSkewMs, priorityHeadStartMs } from './run-store.ts'
export type { Scheduler } from './scheduler.ts'
export type {
  Catalog,
  Cursor,
  FailoverEvent,
  Flags,
  Lease,
  ManifestRef,
  NodeReport,
  NodeStore,
  OutboxEvent,
  OutboxStore,
  Outcome,
  PlanRow,
  PlanStore,
  PointRow,
  PointStore,
  Replication,
  ReplicationStore,
  Resource,
  Run,
  RunFilter,
  RunRequest,
  RunState,
  RunStore,
  Store,
  StoredIntent,
  StoreTime,
} from './store.ts'
export { type WarningCode, warningCodes } from './warning-codes.ts'
export type { Machine, Workload, WorkloadRef } from './workload.ts'
