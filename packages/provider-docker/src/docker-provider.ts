import type { CallOptions, Check, Provider } from '@holdfast/core/spec'
import { HoldfastError, parseStrict } from '@holdfast/core/spec'
import * as z from 'zod'
import { backupVolume } from './backup-volume.ts'
import { createEngineClient, type EngineClient } from './engine-client.ts'
import { listWorkloads } from './inventory.ts'
import { parseOptions } from './options.ts'
import { restoreVolume } from './restore-volume.ts'
import { listLeftovers, undoIntent } from './undo.ts'

/** Where the engine is and what to ask of it. Everything has a default. */
export interface DockerOptions {
  /** Unix socket of the Docker engine, as a path or as `unix://<path>`. Other addresses are refused. Default `/var/run/docker.sock`. */
  readonly socketPath?: string
  /** Measure the size of each volume when workloads are listed: the engine then walks through all of them, which may take minutes. Default false. */
  readonly volumeSizes?: boolean
  /** Milliseconds without a byte from the engine after which a request fails with STALLED. Default 60,000. */
  readonly requestIdleMs?: number
  /** The same while a volume is being filled. Default 900,000. */
  readonly fillIdleMs?: number
}

/** As people know it from DOCKER_HOST. */
const scheme = /^unix:\/\//i
const socketPath = z
  .string()
  .refine((text) => scheme.test(text) || !/^[a-z][a-z0-9+.-]*:\/\//i.test(text), 'only a unix socket of this host can be used')
  .refine((text) => text.replace(scheme, '') !== '', 'expected the path of a unix socket')
  .transform((text) => text.replace(scheme, ''))

const optionsSchema = z.strictObject({
  socketPath: socketPath.default('/var/run/docker.sock'),
  volumeSizes: z.boolean().default(false),
  requestIdleMs: z.int().min(1).default(60_000),
  fillIdleMs: z.int().min(1).default(900_000),
})

/**
 * Protects the volumes of a Docker engine: one volume becomes one tar archive.
 *
 * Nothing is pulled, started or written outside the engine: a volume is read and written through the engine's archive API by a helper container
 * that is never started, on an empty image made on the fly. What the archive API does not carry is in the manifest and in a note of the run.
 *
 * A restored volume has exactly the name asked for, or the restore fails with NAME_TAKEN. There is no `delivered`: labels of a volume cannot
 * change, so nothing on a volume could tell "handed over" from "about to be"; an attempt that the store does not know as finished is undone
 * and done again.
 *
 * Errors: UNREACHABLE, ACCESS_DENIED, PROVIDER_FAILED, STALLED, NOT_FOUND, IN_USE, NAME_TAKEN, TRUNCATED, PATH_OUTSIDE, POINT_DAMAGED, UNSUPPORTED,
 * INVALID_OPTIONS. No call is repeated in here; all may be made again.
 *
 * @example
 * const provider = docker({ socketPath: '/var/run/docker.sock' })
 */
export function docker(options: DockerOptions = {}): Provider {
  const settings = parseStrict(optionsSchema, options, 'docker')
  const client = createEngineClient(settings)
  return {
    specVersion: 1,
    kind: 'docker',
    check: (call) => checkEngine(client, call),
    workloads: (call) => listWorkloads(client, { ...call, sizes: settings.volumeSizes }),
    backup: (request, sink, run) => backupVolume(client, request, sink, run),
    restore: (request, source, run) => restoreVolume(client, request, source, run),
    undo: (intent, call) => undoIntent(client, intent, call),
    leftovers: (call) => listLeftovers(client, 'docker', call),
    parseOptions,
    async [Symbol.asyncDispose]() {},
  }
}

async function checkEngine(client: EngineClient, options: CallOptions): Promise<readonly Check[]> {
  try {
    const { Version: version, ApiVersion: api } = await client.version(options)
    const volumes = await client.listVolumes(options)
    return [
      {
        name: 'engine',
        status: 'ok',
        message: `Docker engine ${version} (API ${api}) answers at ${client.socketPath}; it has ${volumes.length} volumes.`,
        details: { version, api, volumes: volumes.length },
      },
    ]
  } catch (error) {
    if (!HoldfastError.isInstance(error) || error.code === 'ABORTED' || options.signal.aborted) throw error
    return [
      {
        name: 'engine',
        status: 'error',
        message: `${error.message} ${error.remedy}`,
        details: { code: error.code, socketPath: client.socketPath },
      },
    ]
  }
}
