import type { Connection } from '../../src/connection.ts'
import type { SoapCall } from '../../src/vim25/soap-client.ts'
import { createUpdates } from '../../src/vim25/updates.ts'

/** The process that the connection belonged to is dead. */
export class Died extends Error {}

/** A connection of a process that dies: from then on nothing of it reaches the host any more. */
export interface DyingConnection extends AsyncDisposable {
  readonly connection: Connection
  /** Calls that came to the point where it may die. */
  readonly asked: () => number
  readonly isDead: () => boolean
  die(): void
}

/** When it dies: at the call of this number, counted from the first one of `from`; before the host has got it, or when it has, and the answer is lost. */
export interface Death {
  readonly from: string
  readonly at: number
  readonly when: 'before' | 'after'
}

export function dyingConnection({ session, settings, clock }: Connection, { from, at, when }: Death): DyingConnection {
  let [begun, count, dead] = [false, 0, false]
  const call: SoapCall = async (method, self, parameters, options) => {
    if (dead) throw new Died(`${method} of a dead process`)
    begun ||= method === from
    // Waiting changes nothing, and how often it is done depends on the time.
    const counts =
      begun &&
      !/^(WaitForUpdatesEx|CancelWaitForUpdates|CreateFilter|DestroyPropertyFilter|CreatePropertyCollector|HttpNfcLeaseProgress|CurrentTime)$/.test(
        method,
      )
    const mine = counts ? ++count === at : false
    dead ||= mine && when === 'before'
    if (dead) throw new Died(`died before ${method}`)
    const result = await session.call(method, self, parameters, options)
    dead ||= mine
    if (dead) throw new Died(`died after ${method}`)
    return result
  }
  const own = { ...session, call }
  const updates = createUpdates(own)
  return {
    connection: { session: own, updates, settings, clock },
    asked: () => count,
    isDead: () => dead,
    die() {
      dead = true
    },
    [Symbol.asyncDispose]: () => updates[Symbol.asyncDispose](),
  }
}
