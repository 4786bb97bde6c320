import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { formatBytes } from '@holdfast/core'
import { docker } from '@holdfast/provider-docker'
import { ask, call } from './docker-engine.ts'
import { writeDay, writeShop } from './sample-files.ts'
import type { Listed, Subject, SubjectOptions } from './subject.ts'

/** Place in the archive: before it come 8 MiB of access.log, and orders.db has 24 MiB. */
const insideOrders = 20 << 20

interface OwnEngine {
  readonly socketPath: string
  readonly unique: string
}

/** A volume of a Docker engine. It is filled and read through a container that is never started, made of an empty image; nothing is pulled. */
export function dockerVolume({ socketPath, unique, folder }: SubjectOptions & { readonly socketPath: string }): Subject {
  const engine: OwnEngine = { socketPath, unique }
  const id = `shop-db-${unique}`
  const sample = join(folder, 'sample')
  const put = async <Result>(write: () => Promise<Result>): Promise<Result> => {
    await mkdir(sample)
    const result = await write()
    await withHelper(engine, id, (helper) => putFolder(engine, helper, sample))
    await rm(sample, { recursive: true })
    return result
  }
  return {
    title: `Docker volume ${id}`,
    providerName: 'docker',
    id,
    killAfterBytes: 16 << 20,
    done: (bytes) => `read ${formatBytes(bytes)}`,
    copyName: 'tar',
    newProvider: () => docker({ socketPath }),
    async create() {
      await ask(socketPath, 'POST', '/volumes/create', { Name: id, Labels: { 'holdfast-quickstart': unique, tier: 'critical' } })
      return put(() => writeShop(sample))
    },
    change: (day) => put(() => writeDay(sample, day)),
    saveTo: (file) =>
      withHelper(engine, id, async (helper) => {
        await pipeline(await call(socketPath, 'GET', `/containers/${helper}/archive?path=/data`), createWriteStream(file))
      }),
    damage: () =>
      withHelper(engine, id, async (helper) => {
        // The whole archive goes back, so that nothing else differs, not even the time of the folder.
        const tar = await buffer(await call(socketPath, 'GET', `/containers/${helper}/archive?path=/data`))
        tar[insideOrders] = (tar[insideOrders] ?? 0) ^ 1
        await ask(socketPath, 'PUT', `/containers/${helper}/archive?path=/`, { type: 'application/x-tar', bytes: tar })
        return 'in orders.db'
      }),
    lose: () => ask(socketPath, 'DELETE', `/volumes/${id}`),
    listing: () => listing(engine),
    cleanUp: () => cleanUp(engine),
  }
}

async function putFolder({ socketPath }: OwnEngine, helper: string, folder: string): Promise<void> {
  const tar = spawn('tar', ['-C', folder, '-cf', '-', '.'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [[code]] = await Promise.all([
    once(tar, 'close'),
    ask(socketPath, 'PUT', `/containers/${helper}/archive?path=/data`, { type: 'application/x-tar', bytes: tar.stdout }),
  ])
  if (code !== 0) throw new Error(`tar ended with ${code}`)
}

/** A container that is never started, with the volume at `/data`: the engine's archive requests work on it all the same. */
async function withHelper<Result>(
  { socketPath, unique }: OwnEngine,
  volume: string,
  use: (helper: string) => Promise<Result>,
): Promise<Result> {
  const [helper, image] = [`quickstart-${unique}`, `quickstart-${unique}:empty`]
  const label = encodeURIComponent(`LABEL holdfast-quickstart=${unique}`)
  const emptyTar = { type: 'application/x-tar', bytes: new Uint8Array(1024) } as const
  await ask(socketPath, 'POST', `/images/create?fromSrc=-&repo=quickstart-${unique}&tag=empty&changes=${label}`, emptyTar)
  try {
    const settings = {
      Image: image,
      Cmd: ['never-started'],
      Labels: { 'holdfast-quickstart': unique },
      HostConfig: { NetworkMode: 'none', Mounts: [{ Type: 'volume', Source: volume, Target: '/data', VolumeOptions: { NoCopy: true } }] },
    }
    await ask(socketPath, 'POST', `/containers/create?name=${helper}`, settings)
    return await use(helper)
  } finally {
    await ask(socketPath, 'DELETE', `/containers/${helper}?force=1`).catch(() => undefined)
    await ask(socketPath, 'DELETE', `/images/${image}`).catch(() => undefined)
  }
}

interface Thing {
  readonly Id?: string
  readonly Name?: string
  readonly Names?: readonly string[]
  readonly RepoTags?: readonly string[] | null
  readonly Labels?: { readonly [name: string]: string } | null
}

/** By their labels: those of the quickstart, and those that Holdfast writes on what it makes (`holdfast.system`). */
async function listing({ socketPath, unique }: OwnEngine): Promise<readonly Listed[]> {
  const { Volumes: volumes } = await ask<{ readonly Volumes: readonly Thing[] | null }>(socketPath, 'GET', '/volumes')
  const containers = await ask<readonly Thing[]>(socketPath, 'GET', '/containers/json?all=1')
  const images = await ask<readonly Thing[]>(socketPath, 'GET', '/images/json')
  const ours = (things: readonly Thing[] | null) =>
    (things ?? [])
      .filter(({ Labels: labels }) => Object.values(labels ?? {}).some((value) => value.includes(unique)))
      .map(({ Id: id, Name: name, Names: names, RepoTags: tags }) => name ?? names?.[0]?.slice(1) ?? tags?.[0] ?? id ?? '')
  return [
    { kind: 'volume', names: ours(volumes) },
    { kind: 'container', names: ours(containers) },
    { kind: 'image', names: ours(images) },
  ]
}

async function cleanUp(engine: OwnEngine): Promise<void> {
  const [volumes, containers, images] = await listing(engine)
  const remove = (path: string) => ask(engine.socketPath, 'DELETE', path)
  for (const name of containers?.names ?? []) await remove(`/containers/${name}?force=1`)
  for (const name of volumes?.names ?? []) await remove(`/volumes/${name}`)
  for (const name of images?.names ?? []) await remove(`/images/${name}`)
}
