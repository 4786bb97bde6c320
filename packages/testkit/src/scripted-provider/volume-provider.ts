import {
  type BackupRequest,
  type BackupResult,
  type BackupSink,
  type CallOptions,
  HoldfastError,
  type Intent,
  type OpenIntent,
  type Provider,
  type RestoreRequest,
  type RestoreResult,
  type RestoreSource,
  type RunContext,
  type Workload,
} from '@holdfast/core/spec'
import { readAll } from '../bytes.ts'
import { digestOfFiles, sameAttempt, sameRun } from '../memory-platform/content.ts'
import { filesOfVolumes, type MemoryPlatform } from '../memory-platform/memory-platform.ts'
import type { MemoryVolume } from '../memory-platform/volume-host.ts'
import { filesOfTar, tarOf } from '../tar-bytes.ts'
import { flag, flagOptions, member } from './parse-options.ts'

/** Volumes (`tarVolume`) or sets of volumes (`tarProject`) as tar streams: stop, read through a helper container, start at once. */
export function volumeProvider(platform: MemoryPlatform, shape: 'tarVolume' | 'tarProject', name: string): Provider {
  return {
    specVersion: 1,
    kind: shape,
    async check(options) {
      const count = (await platform.volumes.list(options)).length
      return [{ name: 'connection', status: 'ok', message: `${count} volumes` }]
    },
    async *workloads({ id, signal }) {
      for (const workload of workloadsOf(await platform.volumes.list({ signal }), shape))
        if (id === undefined || workload.id === id) yield workload
    },
    backup: (request, sink, run) => backup(platform, request, sink, run),
    restore: (request, source, run) => restore(platform, shape, request, source, run),
    undo: (intent, options) => undo(platform, intent, options),
    async *leftovers(options) {
      for (const { name: helper, mark } of await platform.volumes.helpers(options)) {
        yield { id: `leftover-${helper}`, provider: name, kind: 'remove-helper', data: { helper }, mark, kept: false }
      }
    },
    parseOptions: flagOptions({ backup: ['stop'] }),
    async [Symbol.asyncDispose]() {},
  }
}

function workloadsOf(volumes: readonly MemoryVolume[], shape: 'tarVolume' | 'tarProject'): readonly Workload[] {
  const mine = volumes.filter(({ project }) => (project === undefined) === (shape === 'tarVolume'))
  const kind = shape === 'tarVolume' ? 'volume' : 'project'
  return [...Map.groupBy(mine, ({ name, project }) => project ?? name)].map(([id, of]) => {
    const usedBytes = of.flatMap(({ files }) => [...files.values()]).reduce((sum, bytes) => sum + bytes.length, 0)
    return { id, name: id, kind, usedBytes, labels: { shape } }
  })
}

async function volumesOf(platform: MemoryPlatform, workload: string, options: CallOptions): Promise<readonly MemoryVolume[]> {
  const found = (await platform.volumes.list(options)).filter(({ name, project }) => (project ?? name) === workload)
  if (found.length === 0) throw new HoldfastError('NOT_FOUND', `there is no volume or project "${workload}"`)
  return found
}

const attemptOf = ({ mark }: RunContext): string => `${mark.run}.${mark.attempt}`

async function openHelper(platform: MemoryPlatform, volumes: readonly string[], run: RunContext): Promise<string> {
  const helper = `helper-${platform.ids.next()}-${attemptOf(run)}`
  await run.intend('remove-helper', { helper })
  await platform.volumes.createHelper(helper, volumes, run.mark, run)
  return helper
}

async function stopUsers(platform: MemoryPlatform, volumes: readonly string[], run: RunContext): Promise<OpenIntent> {
  const containers = await platform.volumes.runningUsers(volumes, run)
  const restart = await run.intend('start-containers', containers)
  for (const container of containers) {
    run.step(`stopping ${container}`)
    await platform.volumes.stop(container, run)
  }
  return restart
}

async function backup(platform: MemoryPlatform, request: BackupRequest, sink: BackupSink, run: RunContext): Promise<BackupResult> {
  const volumes = await volumesOf(platform, request.workload, run)
  const names = volumes.map(({ name }) => name)
  const helper = await openHelper(platform, names, run)
  const stop = flag(request.options, 'stop') !== false
  const restart = stop ? await stopUsers(platform, names, run) : undefined
  const read = new Map<string, MemoryVolume>()
  const stream = (volume: MemoryVolume) =>
    sink.stream({
      format: 'tar',
      name: `${volume.role}.tar`,
      async open(options) {
        const files = await platform.volumes.read(helper, volume.name, options)
        read.set(volume.name, { ...volume, files })
        return platform.stream(tarOf(files), true, options)
      },
    })
  await Promise.all(volumes.map(stream))
  await restart?.undo()
  return {
    description: {
      v: 1,
      digest: digestOfFiles(filesOfVolumes(names.flatMap((name) => read.get(name) ?? []))),
      volumes: volumes.map(({ name, role }) => ({ name, role })),
    },
    consistency: stop ? 'off' : 'crash',
    skipped: [],
  }
}

async function restore(
  platform: MemoryPlatform,
  shape: 'tarVolume' | 'tarProject',
  request: RestoreRequest,
  source: RestoreSource,
  run: RunContext,
): Promise<RestoreResult> {
  const tars = source.files.filter(({ format }) => format === 'tar')
  if (tars.length === 0) throw new HoldfastError('UNSUPPORTED', `point ${source.point} has no tar archive`)
  if (request.purpose === 'replica') throw new HoldfastError('UNSUPPORTED', 'volumes have no replicas')
  const old = request.target === undefined ? undefined : await volumesOf(platform, request.target, run)
  const base = request.target === undefined ? request.name : `${request.target}-${attemptOf(run)}`
  const fresh = tars.map((tar) => {
    const role = tar.name.replace(/\.tar$/, '')
    const project = shape === 'tarProject' ? { project: base } : {}
    return {
      tar,
      volume: { name: shape === 'tarProject' ? `${base}_${role}` : base, role: shape === 'tarProject' ? role : base, ...project },
    }
  })
  const kept: OpenIntent[] = []
  for (const { volume } of fresh) {
    kept.push(await run.intend('remove-volume', { volume: volume.name }))
    const made = await platform.volumes.create({ ...volume, mark: run.mark }, run)
    if (!sameAttempt(made.mark, run.mark)) throw nameTaken(made, run)
  }
  const helper = await openHelper(platform, [...fresh.map(({ volume }) => volume.name), ...(old ?? []).map(({ name }) => name)], run)
  for (const { tar, volume } of fresh) {
    run.step(`filling ${volume.name}`)
    const files = filesOfTar(await readAll(await tar.open(run), run))
    await platform.volumes.fill(helper, volume.name, files, run)
  }
  if (old === undefined || request.target === undefined || request.purpose === 'test') {
    for (const intent of kept) intent.keep()
    return { workload: base }
  }
  await replaceAll(
    platform,
    helper,
    old,
    fresh.map(({ volume }) => volume),
    run,
  )
  return { workload: request.target }
}

function nameTaken(made: MemoryVolume, run: RunContext): HoldfastError {
  // An earlier attempt of this run has it: its intent is undone, and then the name is free.
  const retryable = sameRun(made.mark, run.mark)
  return new HoldfastError('NAME_TAKEN', `a volume named "${made.name}" is there already, and this attempt did not make it`, { retryable })
}

async function replaceAll(
  platform: MemoryPlatform,
  helper: string,
  old: readonly MemoryVolume[],
  fresh: readonly { readonly name: string; readonly role: string }[],
  run: RunContext,
): Promise<void> {
  const restart = await stopUsers(
    platform,
    old.map(({ name }) => name),
    run,
  )
  for (const target of old) {
    const from = fresh.length === 1 ? fresh[0] : fresh.find(({ role }) => role === target.role)
    if (!from) throw new HoldfastError('UNSUPPORTED', `the point has no archive for volume "${target.name}"`)
    const refill = await run.intend('refill-volume', { from: from.name, to: target.name })
    await platform.volumes.replace(helper, from.name, target.name, run)
    refill.keep()
  }
  await restart.undo()
}

async function undo(platform: MemoryPlatform, intent: Intent, options: CallOptions): Promise<'undone'> {
  if (intent.kind === 'start-containers') {
    for (const container of intent.data as readonly string[]) await platform.volumes.start(container, options)
  } else if (intent.kind === 'remove-helper') {
    await platform.volumes.removeHelper(member(intent.data, 'helper'), intent.mark, options)
  } else if (intent.kind === 'remove-volume') {
    await removeVolume(platform, member(intent.data, 'volume'), intent, options)
  } else if (intent.kind === 'refill-volume') {
    await refill(platform, member(intent.data, 'from'), member(intent.data, 'to'), intent, options)
  } else {
    throw new HoldfastError('UNSUPPORTED', `intents of kind "${intent.kind}" are not ours`)
  }
  return 'undone'
}

async function removeOwnHelpers(platform: MemoryPlatform, intent: Intent, options: CallOptions): Promise<void> {
  for (const { name, mark } of await platform.volumes.helpers(options)) {
    if (sameAttempt(mark, intent.mark)) await platform.volumes.removeHelper(name, intent.mark, options)
  }
}

async function ownVolume(platform: MemoryPlatform, name: string, intent: Intent, options: CallOptions): Promise<MemoryVolume | undefined> {
  return (await platform.volumes.list(options)).find((volume) => volume.name === name && sameAttempt(volume.mark, intent.mark))
}

async function removeVolume(platform: MemoryPlatform, name: string, intent: Intent, options: CallOptions): Promise<void> {
  await removeOwnHelpers(platform, intent, options)
  if (!(await ownVolume(platform, name, intent, options))) return
  if ((await platform.volumes.users(name, options)).length > 0) return // somebody uses it: it is theirs now
  await platform.volumes.remove(name, options)
}

/** The target may be half wiped: only going on makes it whole. Helpers go first, so that the dying attempt cannot write any more. */
async function refill(platform: MemoryPlatform, from: string, to: string, intent: Intent, options: CallOptions): Promise<void> {
  await removeOwnHelpers(platform, intent, options)
  if (!(await ownVolume(platform, from, intent, options))) return
  if (!(await platform.volumes.list(options)).some(({ name }) => name === to)) return
  const helper = `helper-${platform.ids.next()}-undo-${intent.mark.run}.${intent.mark.attempt}`
  await platform.volumes.createHelper(helper, [from, to], intent.mark, options)
  await platform.volumes.replace(helper, from, to, options)
  await platform.volumes.removeHelper(helper, intent.mark, options)
}
