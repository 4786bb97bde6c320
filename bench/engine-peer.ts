import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { findProgram } from '../scripts/peers/debian-packages.ts'
import { engineRequest } from '../scripts/peers/engine-request.ts'
import { findPeers } from '../scripts/peers/find-peers.ts'
import { type PeersFile, peerLocations } from '../scripts/peers/locations.ts'
import { processSeconds, processTree } from './measure.ts'

/** The Docker engine that `npm run peers` started, and what a bench makes on it: all under names that begin with `prefix`. */
export interface EnginePeer extends AsyncDisposable {
  readonly socket: string
  readonly image: string
  readonly version: string
  readonly cli: string
  readonly prefix: string
  /** CPU seconds of the engine so far, its own processes and those it has waited for. */
  seconds(): number
  /** A new volume, filled with the content of a folder. */
  createVolume(name: string, folder?: string): Promise<void>
  removeVolume(name: string): Promise<void>
  /** A container that is never started, with the volume at /data. Answers with its id. */
  createHelper(volume: string): Promise<string>
  removeHelper(id: string): Promise<void>
}

const label = 'holdfast-bench'

export async function openEnginePeer(): Promise<EnginePeer> {
  const { docker, zstd, curl } = await findPeers()
  for (const peer of [docker, zstd, curl])
    if ('missing' in peer) throw new Error(`${peer.missing}. Start what is needed with: npm run peers`)
  if (!('facts' in docker)) throw new Error('unreachable')
  const { socket, image, version } = docker.facts
  const cli = findProgram('docker')
  if (cli === undefined) throw new Error('The program docker is missing. Install it with: npm run peers')
  const { pid } = (JSON.parse(readFileSync(peerLocations().file, 'utf8')) as PeersFile).docker
  const prefix = `${label}-${process.pid}`
  const run = (...words: string[]) => execFileSync(cli, ['-H', `unix://${socket}`, ...words], { encoding: 'utf8' }).trim()
  const createHelper = (volume: string) =>
    run('create', '--label', `${label}=${prefix}`, '--network', 'none', '-v', `${volume}:/data`, image)
  const removeAll = () => {
    const filter = ['--filter', `label=${label}=${prefix}`, '-q']
    const words = (text: string) => text.split('\n').filter((word) => word !== '')
    for (const id of words(run('ps', '-a', ...filter))) run('rm', '-f', id)
    for (const name of words(run('volume', 'ls', ...filter))) run('volume', 'rm', name)
  }
  // Also when somebody has seen enough.
  process.once('exit', removeAll)
  return {
    socket,
    image,
    version,
    cli,
    prefix,
    seconds: () => processTree(pid).reduce((sum, each) => sum + processSeconds(each), 0),
    async createVolume(name, folder) {
      run('volume', 'create', '--label', `${label}=${prefix}`, name)
      if (folder === undefined) return
      const helper = createHelper(name)
      await fill(cli, socket, helper, folder)
      run('rm', '-f', helper)
    },
    async removeVolume(name) {
      const { status, text } = await engineRequest(socket, 'DELETE', `/volumes/${name}`, { timeoutMs: 300_000 })
      if (status !== 204 && status !== 404) throw new Error(`Removing volume ${name}: ${status} ${text}`)
    },
    createHelper: async (volume) => createHelper(volume),
    removeHelper: async (id) => void run('rm', '-f', id),
    async [Symbol.asyncDispose]() {
      process.off('exit', removeAll)
      removeAll()
    },
  }
}

async function fill(cli: string, socket: string, helper: string, folder: string): Promise<void> {
  const script = 'tar -C "$1" -cf - . | "$2" -H "unix://$3" cp - "$4:/data"'
  const child = spawn('bash', ['-e', '-o', 'pipefail', '-c', script, 'fill', folder, cli, socket, helper], {
    stdio: ['ignore', 'ignore', 2],
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`Filling a volume from ${folder} ended with ${code}.`)
}
