// What applications import; contracts for plug-ins are in @holdfast/core/spec. First the engine, what it is made of and what it tells.

export type {
  Engine,
  EngineOptions,
  PointChoice,
  PointFlags,
  PointInfo,
  RestoreOptions,
  RunOrder,
  SnapshotInfo,
  SnapshotOptions,
} from './engine/engine.ts'
export type { EngineEvents, EventListener, EventName, RunEvent } from './engine/events.ts'
export type { PointPreview, PrunePreview, RunPreview } from './engine/firing/previews.ts'
export { createEngine } from './engine/load-engine.ts'
export type { RetryPolicy } from './engine/parts.ts'
export type { CancelAnswer, RunHandle } from './engine/runs/run-handle.ts'

// Plans, runs and their outcomes: plain data; JSON Schemas of them are in @holdfast/core/json-schema.

export { maintenancePlans } from './model/maintenance-plans.ts'
export type {
  BackupPlan,
  BackupPlanInput,
  MaintenancePlan,
  MaintenancePlanInput,
  Plan,
  PlanInput,
  SnapshotPlan,
  SnapshotPlanInput,
  VerificationPlan,
  VerificationPlanInput,
} from './model/plan.ts'
export type {
  BackupOutcome,
  DamagedDisk,
  DamagedRange,
  Finding,
  ItemOutcome,
  PruneOutcome,
  PruneSnapshotsOutcome,
  RescanOutcome,
  RestoreOutcome,
  SnapshotOutcome,
  SweepOutcome,
  VerifyOutcome,
} from './model/run-outcome.ts'
export type { ErrorView, ProgressView, RunView } from './model/run-view.ts'
export type { KeptBytes, PlanSavings, RunSavings, SavingsTotal, WorkloadSavings } from './model/savings.ts'

// How the nodes are: plain data.

export type { ClusterState, ClusterStatus, NodeCheck, NodeHistoryEntry, NodeState, NodeStatus } from './model/health.ts'

// Restore points: the manifest as it lies in the repository, and what the catalog keeps of it.

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
export type { PointSummary } from './model/point-row.ts'

// Repository in a folder, and the file system below it.

export { type LocalRepositoryOptions, localRepository } from './repository/local-repository.ts'
export { nodeFileSystem } from './repository/node-file-system.ts'
export type { FileSystem } from './spec/file-system.ts'

// Notifier, scheduler, logger, clock and identifiers that need nothing else.

export { systemClock } from './clock.ts'
export { randomIds } from './ids.ts'
export { type ConsoleLoggerOptions, consoleLogger, type LogLevel, silentLogger } from './logger.ts'
export { type ConsoleNotifierOptions, consoleNotifier } from './notifier/console-notifier.ts'
export { filteredNotifier, type NotificationFilter } from './notifier/filtered-notifier.ts'
export { type NotificationType, type NotificationTypeName, notificationTypes } from './notifier/notification-types.ts'
export { webhookNotifier } from './notifier/webhook-notifier.ts'
export type { WebhookNotifierOptions } from './notifier/webhook-options.ts'
export { inProcessScheduler } from './scheduler/in-process-scheduler.ts'

// Words for people.

export { formatBytes, formatDuration } from './spec/helpers/index.ts'
