import type { Host, SimulatedSession } from './calls/call.ts'

/** How the sessions of a host are. A test may change it. */
export interface SessionSettings {
  /** After so many seconds without a call a session ends, and what belongs to it. Default 1800; that of a real host is not tested. */
  idleSeconds: number
  /** So many milliseconds after it was opened a session is told to who has logged in. Default 0. */
  loginAnswerMs: number
}

/** Ends a session, and what belongs to it. */
export function endSession({ sessions }: Host, key: string): void {
  sessions.get(key)?.ended.abort()
  sessions.delete(key)
}

/** Ends all of which nothing was heard for too long. One whose call is still waited for is not idle. */
export function endIdleSessions(host: Host): void {
  const oldest = host.world.clock.monotonic() - host.sessionSettings.idleSeconds * 1000
  for (const [key, { underWay, heardAt }] of host.sessions) if (underWay === 0 && heardAt < oldest) endSession(host, key)
}

/** Answers a call of a session, which is not idle meanwhile. */
export async function inSession<Answer>(
  { world }: Host,
  session: SimulatedSession,
  answer: () => Answer | Promise<Answer>,
): Promise<Answer> {
  session.underWay += 1
  try {
    return await answer()
  } finally {
    session.underWay -= 1
    session.heardAt = world.clock.monotonic()
  }
}

/** The sessions of a host as a test sees them. */
export const sessionsOf = (host: Host) => ({
  sessionSettings: host.sessionSettings,
  sessions() {
    endIdleSessions(host)
    return host.sessions.size
  },
  endSessions() {
    for (const key of [...host.sessions.keys()]) endSession(host, key)
  },
})
