import type { CallOptions, RestoreSource } from '@holdfast/core/spec'
import { openPackage, type RestorePackage } from '../restore/restore-package.ts'
import { openMachinePackage } from './machine-package.ts'

/**
 * Any point of a machine as a package: one of this provider by its own descriptor, one of another platform by a descriptor that is written from `machine`.
 * @throws What `openPackage` and `openMachinePackage` throw.
 */
export const openPointPackage = (source: RestoreSource, options: CallOptions): Promise<RestorePackage> =>
  source.kind === 'esxi' ? openPackage(source, options) : openMachinePackage(source, options)
