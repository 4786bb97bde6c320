import { systemClock } from '@holdfast/core/spec'
import { type EsxiSimulator, type EsxiSimulatorOptions, startEsxiSimulator } from '@holdfast/testkit'
import { createPinnedAgent } from '../../src/vim25/pinned-agent.ts'
import { openSession, type Session } from '../../src/vim25/session.ts'
import { createSoapClient, type SoapClient } from '../../src/vim25/soap-client.ts'
import { createUpdates, type Updates } from '../../src/vim25/updates.ts'

export const never = new AbortController().signal
export const call = { signal: never }
const limits = { connectMs: 5000, answerMs: 90_000, bodyMs: 90_000 }

/** A simulated host and a client of it; all of it ends with the test. */
export interface Connected extends AsyncDisposable {
  readonly simulator: EsxiSimulator
  readonly client: SoapClient
  readonly session: Session
  readonly updates: Updates
}

export async function clientOf(simulator: EsxiSimulator, thumbprint = simulator.thumbprint()): Promise<SoapClient & AsyncDisposable> {
  const agent = createPinnedAgent(thumbprint, limits)
  return { ...createSoapClient(simulator, agent), [Symbol.asyncDispose]: () => agent.destroy() }
}

export async function connected(options: EsxiSimulatorOptions = {}): Promise<Connected> {
  const simulator = await startEsxiSimulator(options)
  const client = await clientOf(simulator)
  const session = await openSession(client, { user: 'root', password: 'simulated' }, { clock: systemClock, signal: never })
  const updates = createUpdates(session)
  return {
    simulator,
    client,
    session,
    updates,
    async [Symbol.asyncDispose]() {
      await updates[Symbol.asyncDispose]()
      await session[Symbol.asyncDispose]()
      await client[Symbol.asyncDispose]()
      await simulator[Symbol.asyncDispose]()
    },
  }
}
