// npm run peers:stop: ends the engine that `npm run peers` of this checkout started and removes its data.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { isRunning, stopEngine } from './docker-engine.ts'
import { engineRequest } from './engine-request.ts'
import { type PeerLocations, type PeersFile, peerLocations } from './locations.ts'
import { mountsBelow, unmountBelow } from './mounts.ts'

async function main(): Promise<void> {
  const places = peerLocations()
  if (!existsSync(places.folder)) {
    process.stdout.write('no peers were started here\n')
    return
  }
  if (existsSync(places.file)) {
    const facts: PeersFile = JSON.parse(readFileSync(places.file, 'utf8'))
    if (isRunning(facts.docker)) {
      // An engine that does not answer cannot be asked; it is ended all the same.
      await removeContainers(facts.docker.socket).catch(() => undefined)
    }
    await stopEngine(places, facts.docker)
  }
  removeFolders(places)
  process.stdout.write('peers stopped, their data removed\n')
}

async function removeContainers(socket: string): Promise<void> {
  const list: { Id: string }[] = JSON.parse((await engineRequest(socket, 'GET', '/containers/json?all=1')).text)
  for (const { Id } of list) await engineRequest(socket, 'DELETE', `/containers/${Id}?force=1`)
}

function removeFolders(places: PeerLocations): void {
  for (const folder of [places.runtime, places.folder]) {
    unmountBelow(folder)
    // Removing through a mount would delete what belongs to somebody else.
    if (mountsBelow(folder).length > 0) throw new Error(`still mounted: ${mountsBelow(folder).join(', ')}`)
    rmSync(folder, { recursive: true, force: true })
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`npm run peers:stop: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
