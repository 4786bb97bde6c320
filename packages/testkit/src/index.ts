// Contract suites: what every plug-in of a kind must do, as tests.

export {
  type BlockSourceContractOptions,
  type BlockSourceUnderTest,
  blockSourceContract,
} from './block-source-contract/block-source-contract.ts'
export { type CollectingRunner, type ContractResult, collectingRunner } from './collecting-runner.ts'
export type { ContractRunner } from './contract-runner.ts'
export { type NotifierContractOptions, type NotifierUnderTest, notifierContract } from './notifier-contract/notifier-contract.ts'
export { providerContract } from './provider-contract/provider-contract.ts'
export type { PlatformThing, ProviderContractOptions, ProviderUnderTest } from './provider-contract/provider-under-test.ts'
export type { RepositoryAbilities, RepositoryUnderTest } from './repository-contract/contract-fixture.ts'
export { type RepositoryContractOptions, repositoryContract } from './repository-contract/repository-contract.ts'
export { type SchedulerContractOptions, type SchedulerHandle, schedulerContract } from './scheduler-contract/scheduler-contract.ts'
export { storeContract } from './store-contract/store-contract.ts'
export type { StoreContractOptions, StoreHandle } from './store-contract/store-handle.ts'

// Plug-ins in memory, and the platform below the scripted providers.

export { type MemoryNotifier, memoryNotifier } from './memory-notifier.ts'
export { type MemoryPlatform, type MemoryPlatformOptions, memoryPlatform } from './memory-platform/memory-platform.ts'
export type { PlatformFaults, Turn } from './memory-platform/requests.ts'
export { type MemoryRepository, type MemoryRepositoryOptions, memoryRepository } from './memory-repository.ts'
export { type MemoryStore, type MemoryStoreCopy, type MemoryStoreOptions, memoryStore } from './memory-store/memory-store.ts'
export { type ProviderShape, providerShapes, scriptedProvider } from './scripted-provider/scripted-provider.ts'

// One provider without an engine: where it puts a backup, where it gets a restore, what it is told.

export { type CollectedItem, type CollectingSink, collectingSink } from './collecting-sink.ts'
export { extentsOf, memoryBlocks, memoryMappedBlocks, readBlocks } from './memory-blocks.ts'
export { jsonCopy, type MemoryRun, memoryRunContext } from './memory-run-context.ts'
export { sourceFrom } from './memory-source.ts'
export { filesOfTar, tarOf } from './tar-bytes.ts'
export { diskOfVmdk, vmdkOf } from './vmdk-bytes.ts'

// Faults and crashes: storage that fails by seed, and processes that die at a chosen call.

export { type CrashOrders, crashChildHook } from './crash-child.ts'
export { type ChildResult, type CrashHarness, crashHarness, type StoppedChild } from './crash-harness.ts'
export { type FailingFileSystem, type FileSystemFault, failingFileSystem } from './failing-file-system.ts'
export { type FaultRates, type FaultyRepository, type FaultyRepositoryOptions, faultyRepository, noFaults } from './faulty-repository.ts'
export { type CallHook, type CallPoint, type ObserveOptions, observeCalls, observeProvider, pointName } from './observe-calls.ts'
export { type PowerLossFileSystem, powerLossFileSystem } from './power-loss-file-system.ts'

// Simulated platforms.

export { type EsxiSimulator, type EsxiSimulatorOptions, startEsxiSimulator } from './esxi-simulator/esxi-simulator.ts'
export { createSelfSignedCertificate, type SelfSignedCertificate } from './esxi-simulator/self-signed-certificate.ts'
export { movedOrCopied, type SimulatedConduct, type SimulatedQuestion } from './esxi-simulator/simulated-conduct.ts'
export type {
  CardOptions,
  DeviceOptions,
  SimulatedCard,
  SimulatedCdrom,
  SimulatedController,
  SimulatedHardware,
} from './esxi-simulator/simulated-devices.ts'
export type { DiskContent as SimulatedDiskContent, DiskOptions, SimulatedBacking, SimulatedDisk } from './esxi-simulator/simulated-disk.ts'
export type { DatastoreFile, FileEvent, SimulatedFiles } from './esxi-simulator/simulated-files.ts'
export type { HostFactOptions, LicenceOptions } from './esxi-simulator/simulated-host-facts.ts'
export type { LeaseSettings, SimulatedLeases, TransferEvent } from './esxi-simulator/simulated-leases.ts'
export type { MachineOptions, PowerState, SimulatedMachine, SimulatedSnapshot } from './esxi-simulator/simulated-machine.ts'
export type {
  DatastoreOptions,
  HostSystemOptions,
  NetworkOptions,
  PlaceOptions,
  SimulatedDatastore,
  SimulatedNetwork,
  SimulatedPlace,
  SimulatedPlaces,
} from './esxi-simulator/simulated-places.ts'
export type { SessionSettings } from './esxi-simulator/simulated-sessions.ts'
export type { SettingsOptions, SimulatedSettings } from './esxi-simulator/simulated-settings.ts'
export type { ChangedArea as SimulatedChangedArea, SimulatedTracking } from './esxi-simulator/simulated-tracking.ts'
export type { PrefixStyle, SimulatedFault, TypedValues, XmlValue } from './esxi-simulator/soap-answer.ts'

// Time, identifiers, randomness and logs under control.

export { type FakeClock, fakeClock } from './fake-clock.ts'
export { countingIds, seededIds } from './fake-ids.ts'
export { type Random, seededRandom } from './random.ts'
export { type LogLine, type RecordingLogger, recordingLogger } from './recording-logger.ts'
