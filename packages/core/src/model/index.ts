export { type FlagName, flagFileNames, flagNames } from './flag-names.ts'
export { decodeFlag, decodeFlags, encodeFlag, type FlagsRead, flagFiles, flagMembers } from './flags.ts'
export { decodeManifest, encodeManifest, type ManifestPlace, manifestJsonSchema } from './manifest.ts'
export { fileEntriesOf, filesOfManifest, sumsFileName, sumsFilesOf } from './manifest-files.ts'
export type {
  ByteCounts,
  Compression,
  DiskItem,
  Manifest,
  ManifestItem,
  RunWarning,
  StoredFileEntry,
  StreamItem,
} from './manifest-types.ts'
export * from './names.ts'
export { type Plan, type PlanInput, parsePlan, parsePlanId, planJsonSchema } from './plan.ts'
export { type PointSummary, pointRow, pointSummary } from './point-row.ts'
export { decodeRepositoryFile, encodeRepositoryFile, type RepositoryFile } from './repository-file.ts'
export {
  type BackupInput,
  type Operation,
  operations,
  type PruneInput,
  parseRunInput,
  type RescanInput,
  type RestoreInput,
  type RunInput,
  runInputJsonSchema,
  type VerifyInput,
} from './run-input.ts'
export type {
  BackupOutcome,
  DamagedDisk,
  DamagedRange,
  Finding,
  ItemOutcome,
  PruneOutcome,
  RescanOutcome,
  RestoreOutcome,
  VerifyOutcome,
} from './run-outcome.ts'
export { type ErrorView, type ProgressView, type RunView, runView, runViewJsonSchema } from './run-view.ts'
