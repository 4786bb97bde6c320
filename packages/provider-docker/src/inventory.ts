import { type CallOptions, HoldfastError, type Workload } from '@holdfast/core/spec'
import type { Container, Volume } from './engine-answers.ts'
import type { EngineClient } from './engine-client.ts'
import { containerName, isOurs } from './helper.ts'
import { unfinishedLabel } from './mark-labels.ts'
import { nearNames } from './near-names.ts'
import { withoutSecrets } from './volume-description.ts'

const projectLabel = 'com.docker.compose.project'
const serviceLabel = 'com.docker.compose.service'

/** All volumes but the unfinished ones of our own runs, with the containers and compose projects that use them. */
export async function* listWorkloads(
  client: EngineClient,
  options: CallOptions & { readonly id?: string; readonly sizes: boolean },
): AsyncIterable<Workload> {
  const volumes = await client.listVolumes(options)
  const wanted = volumes.filter(
    (volume) => (options.id === undefined || volume.Name === options.id) && volume.Labels?.[unfinishedLabel] === undefined,
  )
  if (wanted.length === 0) return
  const containers = (await client.listContainers({}, options)).filter((container) => !isOurs(container))
  const sizes = options.sizes ? await client.volumeSizes(options) : undefined
  for (const volume of wanted) yield toWorkload(volume, containers, sizes?.get(volume.Name))
}

function toWorkload(volume: Volume, containers: readonly Container[], usedBytes: number | undefined): Workload {
  const users = containers.filter((container) => container.Mounts?.some((mount) => mount.Name === volume.Name))
  const projects = [volume.Labels?.[projectLabel], ...users.map((user) => user.Labels?.[projectLabel])].filter((name) => name !== undefined)
  return {
    id: volume.Name,
    name: volume.Name,
    kind: 'volume',
    ...(usedBytes !== undefined && { usedBytes }),
    labels: withoutSecrets(volume.Labels ?? {}),
    details: {
      driver: volume.Driver,
      options: withoutSecrets(volume.Options ?? {}),
      scope: volume.Scope ?? 'local',
      containers: users.map((user) => ({
        name: containerName(user),
        state: user.State,
        ...(user.Labels?.[projectLabel] !== undefined && { project: user.Labels[projectLabel] }),
        ...(user.Labels?.[serviceLabel] !== undefined && { service: user.Labels[serviceLabel] }),
      })),
      projects: [...new Set(projects)].sort(),
    },
  }
}

const validName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/

/** A volume can have this name: two characters or more, as the engine wants it. */
export function checkVolumeName(name: string): void {
  if (validName.test(name)) return
  const path = name.includes('/')
  throw new HoldfastError(
    'INVALID_OPTIONS',
    `${JSON.stringify(name)} is ${path ? 'a path, not the name of a volume' : 'not a name a volume can have'}.`,
    {
      remedy: path
        ? 'Give the name of a volume (docker volume ls). Folders of the host are not protected by this provider.'
        : 'Use two or more letters, digits, "_", "." or "-", beginning with a letter or digit.',
    },
  )
}

export async function requireVolume(client: EngineClient, name: string, options: CallOptions): Promise<Volume> {
  checkVolumeName(name)
  const volume = await client.inspectVolume(name, options)
  if (volume) return volume
  const near = nearNames(
    name,
    (await client.listVolumes(options)).map((other) => other.Name),
  )
  throw new HoldfastError('NOT_FOUND', `There is no Docker volume ${name}.`, {
    remedy: near.length > 0 ? `Volumes with a similar name: ${near.join(', ')}.` : 'See docker volume ls for the names there are.',
    details: { volume: name, near },
  })
}
