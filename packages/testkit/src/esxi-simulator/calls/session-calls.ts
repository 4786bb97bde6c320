import { createCollector } from '../simulated-collector.ts'
import { endSession } from '../simulated-sessions.ts'
import { field } from '../soap-answer.ts'
import { type Call, type Given, type Handler, type Host, nothing, type Refusal, refused, returned, textOf } from './call.ts'

/** Opens a session. */
export async function login(host: Host, call: Call): Promise<Given | Refusal> {
  if (textOf(call, 'userName') !== host.user || textOf(call, 'password') !== host.password)
    return refused('InvalidLogin', 'Cannot complete login due to an incorrect user name or password.')
  const session = host.world.next('session')
  const main = createCollector(host.world, host.style)
  host.sessions.set(session, {
    ended: new AbortController(),
    heardAt: host.world.clock.monotonic(),
    underWay: 0,
    collectors: new Map([['collector', main]]),
    filters: new Map(),
    views: new Map(),
    pages: new Map(),
  })
  const { loginAnswerMs } = host.sessionSettings
  if (loginAnswerMs > 0) await host.world.clock.sleep(loginAnswerMs, { signal: call.signal }).catch(() => undefined)
  const now = field('loginTime', '2026-01-01T00:00:00Z') + field('lastActiveTime', '2026-01-01T00:00:00Z')
  return { ...returned(`<returnval>${field('key', session)}${field('userName', host.user)}${now}</returnval>`), session }
}

export const sessionCalls: { readonly [method: string]: Handler } = {
  CurrentTime: ({ world, facts }) => returned(field('returnval', new Date(world.clock.now() + (facts.clockAheadMs ?? 0)).toISOString())),
  Logout(host, call) {
    endSession(host, call.session ?? '')
    return nothing
  },
}
