import { type CallOptions, type Clock, codeOf, throwIfAborted } from '@holdfast/core/spec'
import type { HostSettings } from './host-options.ts'
import { closedError } from './vim25/closed-error.ts'
import { isFault } from './vim25/faults.ts'
import { createPinnedAgent } from './vim25/pinned-agent.ts'
import { lockMs, openSession, type Session } from './vim25/session.ts'
import { createSoapClient } from './vim25/soap-client.ts'
import { createUpdates, type Updates } from './vim25/updates.ts'

/** A host with a session on it. */
export interface Connection {
  readonly settings: HostSettings
  readonly clock: Clock
  readonly session: Session
  readonly updates: Updates
}

/** The one connection of a provider, opened by who first needs it. Disposing logs out; it never rejects. */
export interface SharedConnection extends AsyncDisposable {
  /**
   * @throws UNREACHABLE, ACCESS_DENIED, UNSUPPORTED, PROVIDER_FAILED: the next call tries again, but for a wrong password not for 15 minutes. ABORTED: it was disposed;
   * nobody would end another session.
   */
  open(options: CallOptions): Promise<Connection>
}

/** Calls wait for an answer for at most this long; a wait for changes answers within a minute. */
const limits = { connectMs: 30_000, answerMs: 300_000, bodyMs: 300_000 }

async function connect(settings: HostSettings, clock: Clock, options: CallOptions): Promise<Connection & AsyncDisposable> {
  const { host, port, user, password, thumbprint } = settings
  const agent = createPinnedAgent(thumbprint, limits)
  try {
    const session = await openSession(createSoapClient({ host, port }, agent), { user, password }, { clock, signal: options.signal })
    const updates = createUpdates(session)
    return {
      settings,
      clock,
      session,
      updates,
      async [Symbol.asyncDispose]() {
        await updates[Symbol.asyncDispose]()
        await session[Symbol.asyncDispose]()
        await agent.destroy()
      },
    }
  } catch (error) {
    await agent.destroy()
    throw error
  }
}

const wasAborted = (error: unknown): boolean => error instanceof Error && (error.name === 'AbortError' || codeOf(error) === 'ABORTED')

export function shareConnection(settings: HostSettings, clock: Clock): SharedConnection {
  let shared: Promise<Connection & AsyncDisposable> | undefined
  let refused: { readonly error: unknown; readonly at: number } | undefined
  let closed = false
  return {
    async open(options) {
      throwIfAborted(options.signal)
      if (refused !== undefined && clock.monotonic() - refused.at < lockMs) throw refused.error
      for (;;) {
        if (closed) throw closedError()
        const mine = shared === undefined
        shared ??= connect(settings, clock, options)
        const current = shared
        try {
          return await current
        } catch (error) {
          if (shared === current) shared = undefined
          if (isFault(error, 'InvalidLogin')) refused = { error, at: clock.monotonic() }
          // Whoever opened it for all may have been aborted: then it is opened for the others.
          if (mine || options.signal.aborted || !wasAborted(error)) throw error
        }
      }
    },
    async [Symbol.asyncDispose]() {
      closed = true
      const current = await shared?.catch(() => undefined)
      shared = undefined
      await current?.[Symbol.asyncDispose]()
    },
  }
}
