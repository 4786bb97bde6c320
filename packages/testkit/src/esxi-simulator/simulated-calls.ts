import { type Call, type Given, type Handler, type Host, type Refusal, refused, returned } from './calls/call.ts'
import { changeCalls } from './calls/change-calls.ts'
import { hostCalls } from './calls/host-calls.ts'
import { leaseCalls } from './calls/lease-calls.ts'
import { ovfCalls } from './calls/ovf-calls.ts'
import { propertyCalls } from './calls/property-calls.ts'
import { login, sessionCalls } from './calls/session-calls.ts'
import { snapshotCalls } from './calls/snapshot-calls.ts'
import { trackingCalls } from './calls/tracking-calls.ts'
import { refusedByLicence } from './free-licence.ts'
import { heldByLease } from './simulated-leases.ts'
import { serviceContent } from './simulated-machine.ts'
import { refusedByPrivilege } from './simulated-privileges.ts'
import { endIdleSessions, inSession } from './simulated-sessions.ts'
import { element, field, reference, typedValues } from './soap-answer.ts'

const handlers: { readonly [method: string]: Handler } = {
  ...sessionCalls,
  ...propertyCalls,
  ...snapshotCalls,
  ...leaseCalls,
  ...ovfCalls,
  ...changeCalls,
  ...trackingCalls,
  ...hostCalls,
}

/** What a host answers to a call. */
export async function answerCall(host: Host, call: Call): Promise<Given | Refusal> {
  const at = host.refusals.findIndex(({ method }) => method === call.method)
  const [scripted] = at < 0 ? [] : host.refusals.splice(at, 1)
  if (scripted !== undefined) return { refused: scripted.fault }
  if (call.method === 'RetrieveServiceContent') return returned(element('returnval', serviceContent(typedValues(host.style), host)))
  if (call.method === 'Login') return login(host, call)
  endIdleSessions(host)
  const session = host.sessions.get(call.session ?? '')
  if (session === undefined)
    return refused(
      'NotAuthenticated',
      'The session is not authenticated.',
      `${reference('object', call.self.type, call.self.value)}${field('privilegeId', 'System.View')}`,
    )
  const handler = handlers[call.method]
  if (handler === undefined)
    return refused(
      'MethodNotFound',
      `The method ${call.method} is not known.`,
      `${reference('receiver', call.self.type, call.self.value)}${field('method', call.method)}`,
    )
  const no = refusedByLicence(host, call) ?? refusedByPrivilege(host, call) ?? heldByLease(host, call)
  return no === undefined ? inSession(host, session, () => handler(host, call, session)) : { refused: no }
}
