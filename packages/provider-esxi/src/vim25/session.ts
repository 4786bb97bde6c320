import { type CallOptions, type Clock, HoldfastError, throwIfAborted, withDeadline } from '@holdfast/core/spec'
import { isFault } from './faults.ts'
import { nameOf } from './host-requests.ts'
import { methods } from './methods.ts'
import type { MethodEntry } from './schema/schema-entry.ts'
import type { SoapCall, SoapClient } from './soap-client.ts'
import type { Data, MoRef } from './values.ts'

/** Who logs in. */
export interface Account {
  readonly user: string
  readonly password: string
}

/** A session on a host, opened again when the host has ended it. Disposing logs out; it never rejects. */
export interface Session extends AsyncDisposable {
  readonly content: Data<'ServiceContent'>
  readonly client: SoapClient
  readonly clock: Clock
  /**
   * Grows with each login. What belongs to a session, as leases, filters and views do, is gone with it: who holds such a thing compares, and begins anew.
   */
  readonly generation: number
  /**
   * Like the call of the client. When the host has ended the session it logs in once, however many calls wait, and calls again what only reads; the others fail with
   * a retryable ACCESS_DENIED, since what they belong to may be gone.
   */
  readonly call: SoapCall
}

export interface SessionOptions extends CallOptions {
  readonly clock: Clock
  /** Milliseconds without a call after which the time is asked, so that the host does not end the session. Default 300,000. */
  readonly keepAliveMs?: number
}

const serviceInstance: MoRef<'ServiceInstance'> = { type: 'ServiceInstance', value: 'ServiceInstance' }
/** A host that does not answer must not hold up whoever tidies up; it removes what is left with the session. */
const tidyMs = 5000

/** Clean-up on a host: whatever was aborted, with a deadline, and without a word when it fails. */
export async function tidily(clock: Clock, name: string, work: (options: CallOptions) => Promise<unknown>): Promise<void> {
  await withDeadline({ clock, milliseconds: tidyMs, name, signal: new AbortController().signal }, work).catch(() => {})
}

async function unlessAborted(work: Promise<void>, { signal }: CallOptions): Promise<void> {
  throwIfAborted(signal)
  const over = new AbortController()
  const aborted = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: over.signal }),
  )
  await Promise.race([work, aborted]).finally(() => over.abort())
}

/** Hosts lock an account for about 15 minutes after some wrong passwords: all that look at a host would lock it, one after the other. Not tested on a real host. */
export const lockMs = 15 * 60 * 1000

/** The login of a session, shared by all who find that it has ended. A password that was refused is not tried again for a while. */
function createLogin(
  client: SoapClient,
  manager: MoRef<'SessionManager'>,
  { user, password }: Account,
  { clock, signal }: CallOptions & { readonly clock: Clock },
) {
  let generation = 0
  let under: Promise<void> | undefined
  let refused: { readonly error: unknown; readonly at: number } | undefined
  const givenUp = new AbortController()
  const logIn = async (): Promise<void> => {
    throwIfAborted(signal)
    if (refused !== undefined && clock.monotonic() - refused.at < lockMs) throw refused.error
    client.forgetSession()
    await client
      .call('Login', manager, { userName: user, password }, { signal: givenUp.signal, name: `the user ${user}` })
      .catch((error: unknown) => {
        if (isFault(error, 'InvalidLogin')) refused = { error, at: clock.monotonic() }
        throw error
      })
    generation += 1
  }
  return {
    generation: () => generation,
    /** @param of The generation that was found ended. Whoever is aborted stops waiting; the login goes on for the others. */
    async again(of: number, options: CallOptions): Promise<void> {
      if (generation !== of) return
      under ??= logIn().finally(() => {
        under = undefined
      })
      await unlessAborted(under, options)
    },
    /** Waits for a login that is under way: only who waits is told which session the host has opened. An abort gives it up. */
    async settled(options: CallOptions): Promise<void> {
      options.signal.addEventListener('abort', () => givenUp.abort(options.signal.reason), { once: true })
      await under?.catch(() => {})
    },
  }
}

/** Asks for the time whenever nothing was asked for long. A host that does not answer then is found by whoever needs it. */
async function keepAlive(ask: () => Promise<unknown>, lastCall: () => number, options: Required<SessionOptions>): Promise<void> {
  const { clock, keepAliveMs, signal } = options
  for (;;) {
    await clock.sleep(Math.max(1000, lastCall() + keepAliveMs - clock.monotonic()), { signal })
    if (clock.monotonic() - lastCall() >= keepAliveMs) await ask().catch(() => {})
  }
}

/**
 * Logs in.
 * @throws ACCESS_DENIED: wrong user or password, not tried again, since hosts lock accounts. UNREACHABLE, UNSUPPORTED, PROVIDER_FAILED.
 */
export async function openSession(client: SoapClient, account: Account, options: SessionOptions): Promise<Session> {
  const { clock, keepAliveMs = 300_000, signal } = options
  const content = await client.call('RetrieveServiceContent', serviceInstance, {}, { signal })
  const { sessionManager } = content
  if (sessionManager === undefined)
    throw new HoldfastError('PROVIDER_FAILED', `${nameOf(client.address)} has no session manager.`, { retryable: false })
  const closed = new AbortController()
  const login = createLogin(client, sessionManager, account, { clock, signal: closed.signal })
  const refuseClosed = (method: string): void => {
    if (closed.signal.aborted) throw new HoldfastError('ABORTED', `${method} was called on a session that is closed.`, { retryable: false })
  }
  const end = async (): Promise<void> => {
    closed.abort(new HoldfastError('ABORTED', 'The session is closed.', { retryable: false }))
    await tidily(clock, 'Login', login.settled)
    if (login.generation() > 0) await tidily(clock, 'Logout', (inner) => client.call('Logout', sessionManager, {}, inner))
    client.forgetSession()
  }
  await login.again(0, { signal }).catch(async (error: unknown) => {
    await end()
    throw error
  })
  let lastCall = clock.monotonic()
  const call: SoapCall = async (method, self, parameters, given) => {
    refuseClosed(method)
    const generation = login.generation()
    lastCall = clock.monotonic()
    try {
      return await client.call(method, self, parameters, given)
    } catch (error) {
      if (!isFault(error, 'NotAuthenticated')) throw error
      await login.again(generation, given)
      refuseClosed(method)
      const { reads }: MethodEntry = methods[method]
      if (reads !== true) throw error
      return client.call(method, self, parameters, given)
    }
  }
  const ask = () => call('CurrentTime', serviceInstance, {}, { signal: closed.signal })
  const alive = keepAlive(ask, () => lastCall, { clock, keepAliveMs, signal: closed.signal }).catch(() => {})
  return {
    content,
    client,
    clock,
    get generation() {
      return login.generation()
    },
    call,
    async [Symbol.asyncDispose]() {
      if (closed.signal.aborted) return
      await Promise.all([end(), alive])
    },
  }
}
