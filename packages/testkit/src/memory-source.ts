import type { BackupResult, ByteStream, Machine, RestoreSource, StoredDisk, StoredFile, Workload } from '@holdfast/core/spec'
import { lendingStream, sha256 } from './bytes.ts'
import type { CollectedItem } from './collecting-sink.ts'
import { memoryMappedBlocks } from './memory-blocks.ts'
import { filesOfTar } from './tar-bytes.ts'
import { diskOfVmdk } from './vmdk-bytes.ts'

/** What a backup collected, as the source of a restore. `result` is what the provider's backup resolved with. */
export function sourceFrom(
  items: readonly CollectedItem[],
  about: { readonly workload: Workload; readonly kind: string; readonly result: BackupResult; readonly point?: string },
): RestoreSource {
  const files: StoredFile[] = []
  const disks: StoredDisk[] = []
  for (const item of [...items].sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1))) {
    if (item.type === 'disk') {
      disks.push(storedDisk(item.disk, item.bytes))
      continue
    }
    const file = storedFile(item.name, item.format, item.bytes)
    files.push(file)
    if (item.disk) disks.push({ ...storedDisk(item.disk, diskOfVmdk(item.bytes, item.disk.size)), file })
  }
  const machine = about.result.machine && inBootOrder(disks, about.result.machine)
  return {
    point: about.point ?? 'point1',
    workload: about.workload,
    ...(machine && { machine }),
    kind: about.kind,
    description: about.result.description,
    disks,
    files,
  }
}

const nameOf = (item: CollectedItem): string => (item.type === 'disk' ? item.disk.key : item.name)

function inBootOrder(disks: StoredDisk[], machine: Machine): Machine {
  const order = (disk: StoredDisk) => machine.disks.findIndex(({ key }) => key === disk.key)
  disks.sort((one, other) => order(one) - order(other))
  return machine
}

function storedDisk(disk: StoredDisk | { key: string; name: string; size: number }, bytes: Uint8Array): StoredDisk {
  return {
    key: disk.key,
    name: disk.name,
    size: disk.size,
    open: async () => memoryMappedBlocks(bytes, { readers: 4 }),
    openChanges: async () => undefined,
  }
}

function storedFile(name: string, format: StoredFile['format'], bytes: Uint8Array): StoredFile {
  return {
    name,
    format,
    size: bytes.length,
    sha256: sha256(bytes),
    open: async ({ signal, start = 0, end = bytes.length }): Promise<ByteStream> => lendingStream(bytes.subarray(start, end), { signal }),
    ...(format === 'tar' && {
      async *entries() {
        let offset = 512
        for (const [entry, { length }] of filesOfTar(bytes)) {
          yield { name: entry, type: 'file', size: length, offset }
          offset += Math.ceil(length / 512) * 512 + 512
        }
      },
    }),
  }
}
