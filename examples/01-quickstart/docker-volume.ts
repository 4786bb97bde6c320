import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { formatBytes } from '@holdfast/core'
import { docker } from '@holdfast/provider-docker'
import { ask, call } from './docker-engine.ts'
import { writeDay, writeShop } from './sample-files.ts'
import type { Listed, Subject, SubjectOptions } from './subject.ts'

type Labelled = { readonly Id: string; readonly Name?: string; readonly Names?: readonly string[]; readonly RepoTags?: readonly string[] }

/** A volume of a Docker engine. It is filled and read through a container that is never started, made of an empty image; nothing is pulled. */
export function dockerVolume({ socketPath, unique, folder }: SubjectOptions & { readonly socketPath: string }): Subject {
  const id = `shop-db-${unique}`
  const label = `holdfast-quickstart=${unique}`
  const engine = { socketPath, label, unique }
  let day = 0
  return {
    title: `Docker volume ${id}`,
    providerName: 'docker',
    id,
    newProvider: () => docker({ socketPath }),
    async create() {
      await ask(socketPath, 'POST', '/volumes/create', { Name: id, Labels: { 'holdfast-quickstart': unique, tier: 'critical' } })
      const sample = join(folder, 'sample')
      const files = await writeShop(sample)
      await putFolder(engine, id, sample)
      await rm(sample, { recursive: true })
      return `${files} files`
    },
    async change() {
      const sample = join(folder, 'sample')
      await mkdir(sample)
      const what = await writeDay(sample, ++day)
      await putFolder(engine, id, sample)
      await rm(sample, { recursive: true })
      return what
    },
    saveTo: (file) => withHelper(engine, id, (path) => pipeTo(call(socketPath, 'GET', `${path}/archive?path=/data`), file)),
    async damage() {
      const sample = join(folder, 'damaged')
      await mkdir(sample)
      await withHelper(engine, id, async (path) => {
        const unpack = spawn('tar', ['-C', sample, '--strip-components=1', '-x'], { stdio: ['pipe', 'inherit', 'inherit'] })
        await pipeline(await call(socketPath, 'GET', `${path}/archive?path=/data/orders.db`), unpack.stdin)
        await success(unpack, 'tar')
      })
      return 'orders.db'
    },
    lose: async () => void (await ask(socketPath, 'DELETE', `/volumes/${id}`)),
    listing: () => listing(engine),
    async cleanUp() {},
  }
}
