import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** When the client "dies": before its n-th request reaches the engine, or after the engine has answered it and the client has not read that. */
export interface DeathPoint {
  readonly request: number
  readonly when: 'before' | 'after'
}

/**
 * A unix socket in front of the engine (one connection per request, as the provider makes them). From the death point on every connection is
 * cut, as if the process had been killed there. `requests` counts what came.
 */
export async function dyingConnection(engineSocket: string, death: DeathPoint) {
  const folder = await mkdtemp(join(tmpdir(), 'dying-'))
  const socketPath = join(folder, 'docker.sock')
  const state = { requests: 0, dead: false }
  const server = net.createServer((client) => {
    client.on('error', () => {})
    const number = ++state.requests
    if (state.dead || (number === death.request && death.when === 'before')) {
      state.dead = true
      client.destroy()
      return
    }
    const engine = net.connect(engineSocket)
    engine.on('error', () => client.destroy())
    client.on('close', () => engine.destroy())
    client.pipe(engine)
    if (number !== death.request) engine.pipe(client)
    else
      engine.once('data', () => {
        state.dead = true
        client.destroy()
      })
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  return {
    socketPath,
    state,
    async close(): Promise<void> {
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true, force: true })
    },
  }
}
