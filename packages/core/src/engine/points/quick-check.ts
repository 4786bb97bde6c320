import { diskEntriesOf } from '../../model/disk-entries.ts'
import type { Manifest } from '../../model/manifest.ts'
import { fileEntriesOf, sumsFilesOf } from '../../model/manifest-files.ts'
import type { Finding } from '../../model/run-outcome.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf } from '../../spec/errors.ts'
import { formatBytes } from '../../spec/helpers/index.ts'
import type { Repository } from '../../spec/repository.ts'

/** Names and sizes of a point's files, without reading them: finds what is gone or cut, never what has rotted. */
export async function* quickCheck(repository: Repository, point: Manifest, options: CallOptions): AsyncGenerator<Finding, void, undefined> {
  const expected = new Map<string, number | undefined>(fileEntriesOf(point).map((file) => [file.path, file.size]))
  const disks = new Map(diskEntriesOf(point).flatMap(({ disk, file, sums }) => [file, sums].map(({ path }) => [path, disk.key] as const)))
  for (const path of sumsFilesOf(point)) expected.set(path, undefined)
  for (const [path, size] of expected) {
    const file = `${point.folder}/${path}`
    const found = await sizeOf(repository, file, options)
    const key = disks.get(path)
    const common = { point: point.point, file, ...(key !== undefined && { disk: { key, clusters: 0, ranges: [] } }) }
    if (found === undefined) yield { ...common, message: 'the file is gone' }
    else if (size !== undefined && found !== size)
      yield { ...common, message: `has ${formatBytes(found)} (${found} bytes), not ${size} bytes` }
  }
}

async function sizeOf(repository: Repository, path: string, options: CallOptions): Promise<number | undefined> {
  try {
    const file = await repository.open(path, options)
    await file[Symbol.asyncDispose]()
    return file.size
  } catch (error) {
    if (codeOf(error) === 'NOT_FOUND') return undefined
    throw error
  }
}
