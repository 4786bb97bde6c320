import type { Provider, Workload } from '@holdfast/core/spec'
import type { MemoryPlatform } from '../memory-platform/memory-platform.ts'
import { esxiLike, type MachineBackup, ovirtLike, rawDisk } from './machine-backups.ts'
import { machineRestore } from './machine-restore.ts'
import { withSnapshots } from './machine-snapshots.ts'
import { flagOptions } from './parse-options.ts'
import { volumeProvider } from './volume-provider.ts'

/**
 * How a platform gives its bytes, and how what was made there is undone. `tarVolume`, `tarProject`: one volume or all of a project as tar, read through
 * a helper while their containers stand still. `esxiLike`: a snapshot, then one VMDK stream after the other. `ovirtLike`: all disks at once by position,
 * with checkpoints, so that increments are possible until the platform forgets them. `rawDisk`: disks of which nothing is known but their bytes. The first
 * two of these hypervisors have snapshots that people keep.
 */
export type ProviderShape = 'tarVolume' | 'tarProject' | 'esxiLike' | 'ovirtLike' | 'rawDisk'

/** Every shape, so that a test can go through all of them. */
export const providerShapes: readonly ProviderShape[] = ['tarVolume', 'tarProject', 'esxiLike', 'ovirtLike', 'rawDisk']
const machineBackups = { esxiLike, ovirtLike, rawDisk } satisfies { readonly [shape: string]: MachineBackup }

/**
 * A provider over a memory platform. `name` is the one under which the engine knows it (default: the shape); leftovers carry it.
 * Every backup writes the platform's digest of what it froze into `description.digest`.
 */
export function scriptedProvider(
  platform: MemoryPlatform,
  { shape, name = shape }: { readonly shape: ProviderShape; readonly name?: string },
): Provider {
  if (shape === 'tarVolume' || shape === 'tarProject') return volumeProvider(platform, shape, name)
  const backup = machineBackups[shape]
  const provider: Provider = {
    specVersion: 1,
    kind: shape,
    async check(options) {
      const count = (await platform.machines.list(options)).length
      return [{ name: 'connection', status: 'ok', message: `${count} machines` }]
    },
    async *workloads({ id, signal }) {
      for (const { id: machine, name: called, unfinished, disks } of await platform.machines.list({ signal })) {
        const workload: Workload = { id: machine, name: called, kind: 'machine', details: { disks: disks.length } }
        if (!unfinished && (id === undefined || id === machine)) yield workload
      }
    },
    backup: (request, sink, run) => backup(platform, request, sink, run),
    ...machineRestore(platform.machines, name),
    parseOptions: flagOptions({}),
    async [Symbol.asyncDispose]() {},
  }
  return shape === 'rawDisk' ? provider : withSnapshots(platform.machines, provider)
}
