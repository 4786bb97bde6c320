// npm run peers: installs and starts what the integration tests need. Running it again changes nothing.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { importBusybox } from './busybox-image.ts'
import { installPackages } from './debian-packages.ts'
import { isRunning, startEngine, stopEngine } from './docker-engine.ts'
import { engineRequest, pingEngine } from './engine-request.ts'
import { buildGovmomi } from './govmomi-build.ts'
import { busyboxImage, type PeerLocations, type PeersFile, peerLocations } from './locations.ts'
import { unmountBelow } from './mounts.ts'

const begin = process.hrtime.bigint()
const say = (text: string) => process.stdout.write(`${text}\n`)

async function main(): Promise<void> {
  const places = peerLocations()
  const installed = installPackages()
  say(installed.length === 0 ? 'packages   all there' : `packages   installed ${installed.join(', ')}`)
  say(`govmomi    ${buildGovmomi(places)}`)
  if (process.getuid?.() !== 0)
    throw new Error('The Docker engine of the tests runs as root only: run this as root, or run the tests without it.')
  mkdirSync(places.folder, { recursive: true })
  const before = readPeersFile(places)
  const running = before !== undefined && isRunning(before.docker) && (await pingEngine(places.socket)).ok
  if (before !== undefined && !running) await stopEngine(places, before.docker)
  const engine = running ? before.docker : await freshEngine(places)
  await importBusybox(places)
  const version: unknown = JSON.parse((await engineRequest(places.socket, 'GET', '/version')).text)
  const number = typeof version === 'object' && version !== null && 'Version' in version ? String(version.Version) : 'unknown'
  const facts: PeersFile = {
    docker: { socket: places.socket, image: busyboxImage, pid: engine.pid, started: engine.started, version: number },
  }
  writeFileSync(`${places.file}.new`, `${JSON.stringify(facts, undefined, 2)}\n`)
  renameSync(`${places.file}.new`, places.file)
  say(`docker     engine ${number}, ${running ? 'was running' : 'started'}, process ${engine.pid}, socket ${places.socket}`)
  say(`image      ${busyboxImage}`)
  say(`ready after ${(Number(process.hrtime.bigint() - begin) / 1e9).toFixed(1)} s; end it with: npm run peers:stop`)
}

async function freshEngine(places: PeerLocations) {
  unmountBelow(places.folder)
  unmountBelow(places.runtime)
  rmSync(places.runtime, { recursive: true, force: true })
  return startEngine(places)
}

function readPeersFile(places: PeerLocations): PeersFile | undefined {
  try {
    return JSON.parse(readFileSync(places.file, 'utf8'))
  } catch {
    return undefined
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`npm run peers: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
