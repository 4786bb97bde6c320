// What applications import. Contracts for plug-ins are in @holdfast/core/spec.
export { systemClock } from './clock.ts'
export { createEngine } from './engine/create-engine.ts'
export type { Engine, EngineOptions, PointChoice, PointInfo, RestoreOptions, RunOrder } from './engine/engine.ts'
export type { EngineEvents, EventListener, EventName, RunEvent } from './engine/events.ts'
export type { RetryPolicy } from './engine/parts.ts'
export type { RunHandle } from './engine/run-handle.ts'
export { randomIds } from './ids.ts'
export { type ConsoleLoggerOptions, consoleLogger, type LogLevel, silentLogger } from './logger.ts'
export { manifestJsonSchema } from './model/manifest.ts'
export type {
  ByteCounts,
  Compression,
  DiskItem,
  Manifest,
  ManifestItem,
  RunWarning,
  StoredFileEntry,
  StreamItem,
} from './model/manifest-types.ts'
export { type Plan, type PlanInput, planJsonSchema } from './model/plan.ts'
export type { PointSummary } from './model/point-row.ts'
export type {
  BackupOutcome,
  Finding,
  ItemOutcome,
  PruneOutcome,
  RescanOutcome,
  RestoreOutcome,
  VerifyOutcome,
} from './model/run-outcome.ts'
export { type ErrorView, type ProgressView, type RunView, runViewJsonSchema } from './model/run-view.ts'
export { type ConsoleNotifierOptions, consoleNotifier } from './notifier/console-notifier.ts'
export { type LocalRepositoryOptions, localRepository } from './repository/local-repository.ts'
export { nodeFileSystem } from './repository/node-file-system.ts'
export { inProcessScheduler } from './scheduler/in-process-scheduler.ts'
export type { FileSystem } from './spec/file-system.ts'
export { formatBytes, formatDuration } from './spec/helpers/index.ts'
