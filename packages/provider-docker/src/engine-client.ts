import type { ByteStream, CallOptions, Json } from '@holdfast/core/spec'
import { HoldfastError } from '@holdfast/core/spec'
import type * as z from 'zod'
import { requestArchive } from './archive-request.ts'
import * as answers from './engine-answers.ts'
import { answerError, type Operation, statusError } from './engine-errors.ts'
import { type HttpRequest, type HttpResponse, httpRequest, readAll } from './engine-http.ts'
import { accidentLabel, type Labels } from './mark-labels.ts'

export interface VolumeSpec {
  readonly name: string
  readonly driver: string
  readonly options: Labels
  readonly labels: Labels
}
export interface ContainerSpec {
  readonly name: string
  readonly image: string
  readonly volume: string
  readonly readOnly: boolean
  readonly labels: Labels
}
export interface EngineClientOptions {
  readonly socketPath: string
  /** Milliseconds of silence after which a request fails with STALLED. */
  readonly requestIdleMs: number
  /** The same while a volume is filled: the engine may write for long without a word, and the repository may be slow. */
  readonly fillIdleMs: number
}
/** The few requests of the Docker Engine API that this provider makes. Each may reject with the errors of `engine-errors.ts`. */
export type EngineClient = ReturnType<typeof createEngineClient>

/** The folder at which every volume is mounted in a helper, and so the first part of every name in an archive. */
export const mountName = 'data'
const preferredVersion = [1, 41] as const
const oldestVersion = [1, 40] as const

type Call = Omit<HttpRequest, 'signal' | 'idleMs' | 'body'> & {
  readonly json?: Json
  readonly tar?: Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

export function createEngineClient({ socketPath, requestIdleMs, fillIdleMs }: EngineClientOptions) {
  let negotiated: string | undefined
  const raw = (call: Call, { signal }: CallOptions): Promise<HttpResponse> => {
    const { json, tar, ...rest } = call
    const body = tar
      ? { type: 'application/x-tar', bytes: tar }
      : json === undefined
        ? undefined
        : { type: 'application/json', bytes: [Buffer.from(JSON.stringify(json))] }
    return httpRequest(socketPath, { ...rest, signal, idleMs: tar ? fillIdleMs : requestIdleMs, ...(body && { body }) })
  }
  const version = async (options: CallOptions): Promise<answers.EngineVersion> =>
    parseAnswer(answers.engineVersion, await raw({ method: 'GET', path: '/version', what: 'asking for its version' }, options), {
      socketPath,
      what: 'asking for its version',
    })
  const prefix = async (options: CallOptions): Promise<string> => {
    negotiated ??= chooseVersion(await version(options), socketPath)
    return negotiated
  }
  const open = async (call: Call, options: CallOptions): Promise<HttpResponse> =>
    raw({ ...call, path: `/v${await prefix(options)}${call.path}` }, options)
  const ask = async <T>(schema: z.ZodType<T>, call: Call, options: CallOptions): Promise<T> =>
    parseAnswer(schema, await open(call, options), { socketPath, what: call.what })
  /** For requests whose body does not matter: answers the status when it is expected, throws otherwise. */
  const tell = async (call: Call, expected: readonly number[], options: CallOptions): Promise<number> => {
    const response = await open(call, options)
    const body = await readBody(response)
    if (expected.includes(response.status) || (response.status >= 200 && response.status < 300)) return response.status
    throw statusError(response.status, messageOf(body), { socketPath, what: call.what })
  }
  return {
    socketPath,
    version,
    ...volumes({ ask, tell, open, prefix, socketPath, requestIdleMs }),
    ...helpers({ ask, tell, open, prefix, socketPath, requestIdleMs }),
  }
}

interface Calls {
  readonly socketPath: string
  readonly requestIdleMs: number
  ask<T>(schema: z.ZodType<T>, call: Call, options: CallOptions): Promise<T>
  tell(call: Call, expected: readonly number[], options: CallOptions): Promise<number>
  open(call: Call, options: CallOptions): Promise<HttpResponse>
  prefix(options: CallOptions): Promise<string>
}

function volumes({ ask, tell, prefix }: Calls) {
  return {
    async listVolumes(options: CallOptions): Promise<readonly answers.Volume[]> {
      const list = await ask(answers.volumeList, { method: 'GET', path: '/volumes', what: 'listing volumes' }, options)
      return list.Volumes ?? []
    },
    async inspectVolume(name: string, options: CallOptions): Promise<answers.Volume | undefined> {
      return ask(
        answers.volume,
        { method: 'GET', path: `/volumes/${encodeURIComponent(name)}`, what: `reading volume ${name}` },
        options,
      ).catch(absent)
    },
    /** Answers what exists under the name, which may be somebody else's: the engine does not refuse a name that is taken. */
    async createVolume(spec: VolumeSpec, options: CallOptions): Promise<answers.Volume> {
      const json = { Name: spec.name, Driver: spec.driver, DriverOpts: spec.options, Labels: spec.labels }
      return ask(answers.volume, { method: 'POST', path: '/volumes/create', json, what: `creating volume ${spec.name}` }, options)
    },
    async removeVolume(name: string, options: CallOptions): Promise<'gone' | 'in-use'> {
      const call: Call = { method: 'DELETE', path: `/volumes/${encodeURIComponent(name)}`, what: `removing volume ${name}` }
      return (await tell(call, [404, 409], options)) === 409 ? 'in-use' : 'gone'
    },
    /** Removes unused volumes that carry all these labels; the engine itself compares them, so nothing can change between look and removal. */
    async pruneVolumes(labels: readonly string[], options: CallOptions): Promise<void> {
      const minor = Number((await prefix(options)).split('.')[1])
      const filters = { label: labels, ...(minor >= 42 && { all: ['true'] }) }
      await tell(
        { method: 'POST', path: `/volumes/prune?filters=${filterText(filters)}`, what: 'removing unused volumes by their mark' },
        [],
        options,
      )
    },
    /** Bytes used per volume, for those whose driver tells. Slow: the engine walks through every volume. */
    async volumeSizes(options: CallOptions): Promise<ReadonlyMap<string, number>> {
      const usage = await ask(answers.diskUsage, { method: 'GET', path: '/system/df', what: 'measuring volumes' }, options)
      const known = (usage.Volumes ?? []).filter((volume) => (volume.UsageData?.Size ?? -1) >= 0)
      return new Map(known.map((volume) => [volume.Name, volume.UsageData?.Size ?? 0]))
    },
  }
}

function helpers({ ask, tell, open, prefix, socketPath, requestIdleMs }: Calls) {
  return {
    async listContainers(filters: { readonly label?: readonly string[]; readonly volume?: readonly string[] }, options: CallOptions) {
      const path = `/containers/json?all=1&filters=${filterText(filters)}`
      return ask(answers.containerList, { method: 'GET', path, what: 'listing containers' }, options)
    },
    /** Made to be read and written through the archive API; it is never started, so its command does not matter. */
    async createContainer(spec: ContainerSpec, options: CallOptions): Promise<string> {
      const what = `creating helper container ${spec.name} for volume ${spec.volume}`
      const call: Call = {
        method: 'POST',
        path: `/containers/create?name=${encodeURIComponent(spec.name)}`,
        json: containerBody(spec),
        what,
      }
      return (await ask(answers.created, call, options)).Id
    },
    async removeContainer(id: string, options: CallOptions): Promise<void> {
      const path = `/containers/${encodeURIComponent(id)}?force=1`
      await tell({ method: 'DELETE', path, what: `removing helper container ${id}` }, [404], options)
    },
    async listImages(label: readonly string[], options: CallOptions): Promise<readonly answers.Image[]> {
      return ask(
        answers.imageList,
        { method: 'GET', path: `/images/json?filters=${filterText({ label })}`, what: 'listing images' },
        options,
      )
    },
    /** An image of nothing, made of an empty tar: no registry is asked. */
    async importEmptyImage(name: string, labels: Labels, options: CallOptions): Promise<void> {
      const [repo = '', tag = ''] = name.split(':')
      const query = new URLSearchParams({ fromSrc: '-', repo, tag })
      for (const [label, value] of Object.entries(labels)) query.append('changes', `LABEL "${label}"="${value}"`)
      const what = `making the empty image ${name}`
      const response = await open({ method: 'POST', path: `/images/create?${query}`, tar: [new Uint8Array(1024)], what }, options)
      const text = (await readBody(response)).toString()
      if (response.status !== 200) throw statusError(response.status, messageOf(Buffer.from(text)), { socketPath, what })
      // The engine answers 200 at once and tells of a failure in the body.
      if (text.includes('"error"')) throw statusError(500, text, { socketPath, what })
    },
    /**
     * Only of an image that no container uses: with `force` the engine does not look for stopped ones. Without it the engine would wait for every
     * container whose archive is being read or written just then, whatever its image (measured on 20.10.24), so one slow backup would hold up all.
     */
    async removeImage(id: string, options: CallOptions): Promise<void> {
      await tell({ method: 'DELETE', path: `/images/${encodeURIComponent(id)}?force=1`, what: `removing image ${id}` }, [404, 409], options)
    },
    /** The volume of a helper as a tar, names beginning with `data/`. Throws when the connection ends early; the end marks are for the reader to check. */
    async readArchive(container: string, volume: string, options: CallOptions): Promise<ByteStream & AsyncDisposable> {
      const what = `reading volume ${volume}`
      const path = `/v${await prefix(options)}/containers/${container}/archive?path=/${mountName}`
      const response = await requestArchive(socketPath, { path, idleMs: requestIdleMs, what, ...options })
      if (response.status === 200) return response.body
      throw statusError(response.status, messageOf(await readBody(response)), { socketPath, what })
    },
    /** Unpacks a tar whose names begin with `data/`. A failure leaves a part of it in the volume. */
    async writeArchive(container: string, volume: string, tar: ByteStream | Iterable<Uint8Array>, options: CallOptions): Promise<void> {
      await tell({ method: 'PUT', path: `/containers/${container}/archive?path=/`, tar, what: `filling volume ${volume}` }, [], options)
    },
  }
}

function containerBody(spec: ContainerSpec): Json {
  // If the volume was removed a moment ago the engine makes an empty one without a word: our labels on it tell that, and let undo remove it.
  const mount = { Type: 'volume', Source: spec.volume, Target: `/${mountName}`, ReadOnly: spec.readOnly }
  return {
    Image: spec.image,
    Cmd: ['never-started'],
    Labels: spec.labels,
    NetworkDisabled: true,
    HostConfig: {
      NetworkMode: 'none',
      LogConfig: { Type: 'none' },
      RestartPolicy: { Name: 'no' },
      Mounts: [{ ...mount, VolumeOptions: { NoCopy: true, Labels: { ...spec.labels, [accidentLabel]: 'true' } } }],
    },
  }
}

function filterText(filters: Json): string {
  return encodeURIComponent(JSON.stringify(filters))
}

function absent(error: unknown): undefined {
  if (HoldfastError.isInstance(error) && error.code === 'NOT_FOUND') return undefined
  throw error
}

/** What arrived of the body: when the connection breaks behind an error answer, the first words are still worth showing. */
async function readBody(response: HttpResponse): Promise<Buffer> {
  if (response.status < 400) return readAll(response.body)
  const chunks: Uint8Array[] = []
  try {
    for await (const chunk of response.body) chunks.push(Buffer.from(chunk))
  } catch {}
  return Buffer.concat(chunks)
}

function messageOf(body: Buffer): string {
  try {
    const parsed: unknown = JSON.parse(body.toString())
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) return String(parsed.message)
  } catch {}
  return body.toString()
}

async function parseAnswer<T>(schema: z.ZodType<T>, response: HttpResponse, operation: Operation): Promise<T> {
  const body = await readBody(response)
  if (response.status < 200 || response.status >= 300) throw statusError(response.status, messageOf(body), operation)
  try {
    return schema.parse(JSON.parse(body.toString()))
  } catch (cause) {
    throw answerError(cause, operation)
  }
}

/** Version 1.41 where the engine speaks it, otherwise the nearest it does. */
function chooseVersion(engine: answers.EngineVersion, socketPath: string): string {
  const parts = (text: string): readonly [number, number] => {
    const [major = 0, minor = 0] = text.split('.').map(Number)
    return [major, minor]
  }
  const below = (left: readonly [number, number], right: readonly [number, number]): boolean =>
    left[0] !== right[0] ? left[0] < right[0] : left[1] < right[1]
  const newest = parts(engine.ApiVersion)
  const oldest = parts(engine.MinAPIVersion ?? '1.12')
  if (below(newest, oldestVersion))
    throw new HoldfastError('UNSUPPORTED', `The Docker engine at ${socketPath} speaks API ${engine.ApiVersion}; at least 1.40 is needed.`, {
      remedy: 'Update the Docker engine to 19.03 or later.',
    })
  const chosen = below(newest, preferredVersion) ? newest : below(preferredVersion, oldest) ? oldest : preferredVersion
  return chosen.join('.')
}
