export type { PaxRecords } from './pax-records.ts'
export { readTarAttributes, type TarAttributes } from './tar-attributes.ts'
export type { TarContext, TarHeader } from './tar-header.ts'
export { createTarScanner, type TarEntry, type TarScanner, type TarScannerOptions } from './tar-scanner.ts'
