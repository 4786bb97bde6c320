// The provider of machines of ESXi and vCenter.

export { type EsxiParts, esxi } from './esxi-provider.ts'
export type { HostOptions } from './host-options.ts'
export { type HostCertificate, isThumbprint, readHostCertificate } from './vim25/pinned-agent.ts'

// A report of a host, for what could not be proven without it.

export type { ChangedAreasReport } from './doctor/changed-areas-probe.ts'
export { type ExamineOptions, examineHost, type FailedTrial, type HostReport } from './doctor/examine-host.ts'
export type { FolderAnswer } from './doctor/folder-range.ts'
export type { Knowledge } from './doctor/known-methods.ts'
export type { Survey } from './doctor/survey.ts'
export type { TrialExport } from './doctor/trial-export.ts'
export type { TrialImport, TrialPlaces } from './doctor/trial-import.ts'

// A point of a machine as one file.

export { type Ova, type OvaOptions, openOva } from './ovf/open-ova.ts'
