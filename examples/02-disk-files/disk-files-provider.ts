// #region provider
// A provider in about 150 lines: every `NAME.img` in a folder is a workload with one disk. What must be told apart after a crash is in attempt-files.ts.
import { type FileHandle, link, open, readdir, rename, rm, stat } from 'node:fs/promises'
import type * as spec from '@holdfast/core/spec'
import { assertSafeName, HoldfastError, invalidOptions, mapError, throwIfAborted } from '@holdfast/core/spec'
import { fileBlocks } from '@holdfast/disk-image'
import { absent, attemptPath, deliveredBy, exists, imagePath, listAttempts, writeMark } from './attempt-files.ts'

/** Protects the raw disk images of a folder. They should not be written during a backup: what is written meanwhile may be half in it. */
export function diskFiles({ folder }: { readonly folder: string }): spec.Provider {
  return {
    specVersion: 1,
    kind: 'disk-files',
    async check({ signal }) {
      throwIfAborted(signal)
      const names = await imageNames(folder).catch((error: Error) => error)
      if (names instanceof Error) return [{ name: 'folder', status: 'error', message: `${folder} cannot be read: ${names.message}` }]
      return [{ name: 'folder', status: 'ok', message: `${folder} holds ${names.length} disk images` }]
    },
    async *workloads({ signal, id }) {
      throwIfAborted(signal)
      for (const name of await imageNames(folder)) {
        if (id !== undefined && id !== name) continue
        const about = await stat(imagePath(folder, name)).catch(absent)
        if (about) yield { id: name, name, kind: 'volume', usedBytes: about.blocks * 512 }
      }
    },
    backup: (request, sink, run) => backup(folder, request, sink, run),
    restore: (request, source, run) => restore(folder, request, source, run),
    undo: (intent) => undo(folder, intent),
    async delivered(run) {
      for (const mark of await listAttempts(folder)) {
        // The plan need not be compared: `run` names one run in the whole system.
        const name = mark.system === run.system && mark.run === run.run ? await deliveredBy(folder, mark) : undefined
        if (name !== undefined) return { workload: name }
      }
      return undefined
    },
    async *leftovers() {
      for (const mark of await listAttempts(folder)) {
        const unfinished = await exists(attemptPath(folder, mark, 'part'))
        if (!unfinished && (await deliveredBy(folder, mark)) !== undefined) continue
        yield { id: attemptPath('', mark, 'part'), provider: 'disk-files', kind: 'remove-file', data: {}, mark, kept: false }
      }
    },
    parseOptions(use, input) {
      const [key] = Object.keys(input ?? {})
      if (key !== undefined)
        throw invalidOptions(`disk-files ${use} options`, [{ path: key, problem: 'is not known; there are no options' }])
      return {}
    },
    async [Symbol.asyncDispose]() {},
  }
}
// #endregion provider

async function imageNames(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const images = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.img') && !entry.name.startsWith('.'))
  return images.map((entry) => entry.name.slice(0, -'.img'.length)).sort()
}

// #region backup
async function backup(folder: string, { workload }: spec.BackupRequest, sink: spec.BackupSink, run: spec.RunContext) {
  throwIfAborted(run.signal)
  assertSafeName(workload, 'disk image')
  const path = imagePath(folder, workload)
  const before = await stat(path).catch(absent)
  if (!before) throw new HoldfastError('NOT_FOUND', `There is no disk image ${path}.`)
  run.step(`reading ${path}`)
  // A file has no identity but its name. `unmapped`: nobody knows what changed, so the engine compares every byte with the sums of the last point.
  const disk = { key: 'disk', name: workload, size: before.size }
  await sink.blocks({ disk, covers: 'unmapped', open: (options) => fileBlocks(path, options) })
  const after = await stat(path)
  const still = after.mtimeMs === before.mtimeMs && after.ino === before.ino
  if (!still) run.note('warning', 'FUZZY', `${path} was written while it was read.`)
  return { description: {}, consistency: still ? 'crash' : 'fuzzy', skipped: [] } satisfies spec.BackupResult
}
// #endregion backup

// #region restore
async function restore(
  folder: string,
  { name: asked, target, purpose }: spec.RestoreRequest,
  source: spec.RestoreSource,
  run: spec.RunContext,
): Promise<spec.RestoreResult> {
  const name = target ?? asked
  assertSafeName(name, 'disk image')
  const [disk] = source.disks
  if (!disk || source.disks.length > 1) throw new HoldfastError('UNSUPPORTED', `Point ${source.point} has ${source.disks.length} disks.`)
  if (purpose === 'replica') throw new HoldfastError('UNSUPPORTED', 'Disk images have no replicas.')
  const final = imagePath(folder, name)
  const taken = await exists(final)
  if (target !== undefined && !taken) throw new HoldfastError('NOT_FOUND', `There is no disk image ${final} to replace.`)
  if (target === undefined && taken) throw nameTaken(final)

  const part = attemptPath(folder, run.mark, 'part')
  // The mark alone finds what is made; the name is for people.
  const intent = await run.intend('remove-file', { name })
  const inode = await fill(part, disk, run)
  // A test copy never takes a name: a probe is given the same mark and finds it by that.
  if (purpose === 'test') return { workload: name }
  await writeMark(folder, run.mark, { name, inode })
  // Rejects when another worker has taken over: the intent may have been undone before the part was there.
  await intent.update({ name, inode })
  if (target === undefined) await link(part, final).catch((error) => Promise.reject(error.code === 'EEXIST' ? nameTaken(final) : error))
  else await rename(part, final)
  await rm(part, { force: true })
  await syncFolder(folder)
  intent.keep()
  return { workload: name }
}
// #endregion restore

const nameTaken = (path: string) => new HoldfastError('NAME_TAKEN', `There is a disk image ${path} already.`)

// #region fill
/** For its owner only, as what a disk holds is nobody else's. Writes only what holds data, so that the file is as sparse as it can be. Answers with the number of its inode. */
async function fill(path: string, disk: spec.StoredDisk, run: spec.RunContext): Promise<string> {
  const blocks = await disk.open(run)
  let file: FileHandle | undefined
  try {
    file = await open(path, 'wx', 0o600)
    await file.truncate(disk.size)
    const buffer = new Uint8Array(1 << 20)
    for await (const { offset, length, kind } of blocks.extents(run)) {
      for (let at = offset; kind === 'data' && at < offset + length; at += buffer.length) {
        const piece = buffer.subarray(0, Math.min(buffer.length, offset + length - at))
        await blocks.readInto(piece, at, run)
        const { bytesWritten } = await file.write(piece, 0, piece.length, at)
        if (bytesWritten < piece.length)
          throw new HoldfastError('PROVIDER_FAILED', `${path}: the disk took only a part of a write at ${at}.`)
      }
    }
    await file.sync()
    return String((await file.stat()).ino)
  } catch (error) {
    throw mapError(error, 'PROVIDER_FAILED', `${path} cannot be written`)
  } finally {
    await file?.close()
    await blocks[Symbol.asyncDispose]()
  }
}
// #endregion fill

// #region undo
async function undo(folder: string, intent: spec.Intent): ReturnType<spec.Provider['undo']> {
  if (intent.kind !== 'remove-file') throw new HoldfastError('UNSUPPORTED', `Unknown intent "${intent.kind}".`)
  // First the part: from then on a writer that wakes up late cannot deliver it.
  await rm(attemptPath(folder, intent.mark, 'part'), { force: true })
  const name = await deliveredBy(folder, intent.mark)
  if (name !== undefined) return { delivered: { workload: name } }
  await rm(attemptPath(folder, intent.mark, 'mark'), { force: true })
  return 'undone'
}
// #endregion undo

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder)
  await handle.sync().finally(() => handle.close())
}
