import { createCollector, objectContent, selectedBy } from './simulated-collector.ts'
import { allSnapshots, dropSnapshot, type SimulatedMachine, serviceContent, takeSnapshot } from './simulated-machine.ts'
import { startTask, type TaskWork } from './simulated-tasks.ts'
import type { SimulatedWorld } from './simulated-world.ts'
import { element, field, type PrefixStyle, reference, type SimulatedFault, typedValues } from './soap-answer.ts'
import { parameter, type SoapRequest } from './soap-request.ts'

type Collector = ReturnType<typeof createCollector>

/** What belongs to a session, and goes with it. */
interface SimulatedSession {
  readonly ended: AbortController
  readonly collectors: Map<string, Collector>
  /** Which collector each filter is of. */
  readonly filters: Map<string, Collector>
  /** Types of objects that each view shows. */
  readonly views: Map<string, readonly string[]>
  /** What is left to tell of long lists, by token. */
  readonly pages: Map<string, readonly string[]>
}

/** A simulated host behind its calls. */
export interface Host {
  readonly world: SimulatedWorld
  readonly machines: readonly SimulatedMachine[]
  readonly style: PrefixStyle
  readonly apiType: 'HostAgent' | 'VirtualCenter'
  readonly user: string
  readonly password: string
  readonly sessions: Map<string, SimulatedSession>
  readonly refusals: { readonly method: string; readonly fault: SimulatedFault }[]
}

export interface Refusal {
  readonly refused: SimulatedFault
}

/** A call with the session it claims to belong to. */
export interface Call extends SoapRequest {
  readonly session: string | undefined
  /** Aborts when the caller has gone. */
  readonly signal: AbortSignal
}

export interface Given {
  readonly content: string
  /** A session that was opened. */
  readonly session?: string
}

type Handler = (host: Host, call: Call, session: SimulatedSession) => Given | Refusal | Promise<Given | Refusal>

const refused = (fault: string, message: string, fields = ''): Refusal => ({ refused: { fault, message, fields } })
const returned = (content: string): Given => ({ content })
const nothing = returned('')
const textOf = (call: Call, name: string): string => parameter(call, name)?.text ?? ''
const gone = (call: Call): Refusal =>
  refused(
    'ManagedObjectNotFound',
    `The object '${call.self.type}:${call.self.value}' has already been deleted or has not been completely created`,
    reference('obj', call.self.type, call.self.value),
  )

function login(host: Host, call: Call): Given | Refusal {
  if (textOf(call, 'userName') !== host.user || textOf(call, 'password') !== host.password)
    return refused('InvalidLogin', 'Cannot complete login due to an incorrect user name or password.')
  const session = host.world.next('session')
  const main = createCollector(host.world, host.style)
  host.sessions.set(session, {
    ended: new AbortController(),
    collectors: new Map([['collector', main]]),
    filters: new Map(),
    views: new Map(),
    pages: new Map(),
  })
  const now = field('loginTime', '2026-01-01T00:00:00Z') + field('lastActiveTime', '2026-01-01T00:00:00Z')
  return { ...returned(`<returnval>${field('key', session)}${field('userName', host.user)}${now}</returnval>`), session }
}

function page(session: SimulatedSession, host: Host, objects: readonly string[], most: number): Given {
  const rest = objects.slice(most)
  let token = ''
  if (rest.length > 0) {
    token = host.world.next('token')
    session.pages.set(token, rest)
  }
  return returned(`<returnval>${token === '' ? '' : field('token', token)}${objects.slice(0, most).join('')}</returnval>`)
}

function retrieve(host: Host, call: Call, session: SimulatedSession): Given | Refusal {
  const spec = parameter(call, 'specSet')
  if (spec === undefined) return refused('InvalidRequest', 'specSet is missing')
  const { paths, object, skip } = selectedBy(spec)
  const found = host.world.find(object.type, object.value)
  const members = skip
    ? host.world.objects().filter(({ type }) => session.views.get(object.value)?.includes(type))
    : found === undefined
      ? undefined
      : [found]
  if (members === undefined)
    return refused('ManagedObjectNotFound', 'The object has already been deleted', reference('obj', object.type, object.value))
  const most = Number(parameter(call, 'options')?.children.find(({ name }) => name === 'maxObjects')?.text ?? 1000)
  return page(
    session,
    host,
    members.map((one) => `<objects>${objectContent(host.style, one, paths)}</objects>`),
    most,
  )
}

const machineOf = ({ machines }: Host, call: Call): SimulatedMachine | undefined => machines.find(({ value }) => value === call.self.value)

function task(host: Host, entity: SimulatedMachine, work: TaskWork): Given {
  return returned(reference('returnval', 'Task', startTask(host.world, host.style, entity, work).value))
}

function createSnapshot(host: Host, call: Call): Given | Refusal {
  const machine = machineOf(host, call)
  if (machine === undefined) return gone(call)
  return task(host, machine, {
    steps: 3,
    run() {
      const value = host.world.next('snapshot')
      takeSnapshot(machine, {
        value,
        name: textOf(call, 'name'),
        description: textOf(call, 'description'),
        created: '2026-01-01T00:00:00Z',
        quiesced: textOf(call, 'quiesce') === 'true' && machine.powerState === 'poweredOn',
        powerState: textOf(call, 'memory') === 'true' ? machine.powerState : 'poweredOff',
        children: [],
      })
      return { type: 'VirtualMachineSnapshot', value }
    },
  })
}

function removeSnapshot(host: Host, call: Call): Given | Refusal {
  const machine = host.machines.find(({ snapshots }) => allSnapshots(snapshots).some(({ value }) => value === call.self.value))
  if (machine === undefined) return gone(call)
  return task(host, machine, { run: () => void dropSnapshot(machine, call.self.value) })
}

const handlers: { readonly [method: string]: Handler } = {
  CurrentTime: () => returned(field('returnval', '2026-01-01T00:00:00Z')),
  Logout(host, call, session) {
    session.ended.abort()
    host.sessions.delete(call.session ?? '')
    return nothing
  },
  CreateContainerView(host, call, session) {
    const view = host.world.next('view')
    session.views.set(
      view,
      call.parameters.filter(({ name }) => name === 'type').map(({ text }) => text),
    )
    return returned(reference('returnval', 'ContainerView', view))
  },
  DestroyView: (_host, call, session) => (session.views.delete(call.self.value) ? nothing : gone(call)),
  RetrievePropertiesEx: retrieve,
  ContinueRetrievePropertiesEx(host, call, session) {
    const left = session.pages.get(textOf(call, 'token'))
    session.pages.delete(textOf(call, 'token'))
    return left === undefined ? refused('InvalidProperty', 'unknown token', field('name', 'token')) : page(session, host, left, 100)
  },
  CreatePropertyCollector(host, _call, session) {
    const collector = host.world.next('collector')
    session.collectors.set(collector, createCollector(host.world, host.style))
    return returned(reference('returnval', 'PropertyCollector', collector))
  },
  DestroyPropertyCollector: (_host, call, session) => (session.collectors.delete(call.self.value) ? nothing : gone(call)),
  CreateFilter(_host, call, session) {
    const collector = session.collectors.get(call.self.value)
    const spec = parameter(call, 'spec')
    if (collector === undefined || spec === undefined) return gone(call)
    const filter = collector.add(selectedBy(spec))
    session.filters.set(filter, collector)
    return returned(reference('returnval', 'PropertyFilter', filter))
  },
  DestroyPropertyFilter: (_host, call, session) => (session.filters.get(call.self.value)?.remove(call.self.value) ? nothing : gone(call)),
  CancelWaitForUpdates(_host, call, session) {
    session.collectors.get(call.self.value)?.cancelWait()
    return nothing
  },
  async WaitForUpdatesEx(_host, call, session) {
    const seconds = Number(parameter(call, 'options')?.children.find(({ name }) => name === 'maxWaitSeconds')?.text ?? 60)
    const collector = session.collectors.get(call.self.value)
    if (collector === undefined) return gone(call)
    const set = await collector.wait(seconds, AbortSignal.any([call.signal, session.ended.signal]))
    if (session.ended.signal.aborted) return refused('NotAuthenticated', 'The session is not authenticated.')
    if (set === 'cancelled') return refused('RequestCanceled', 'The request was canceled by a user.')
    return returned(set === undefined ? '' : element('returnval', { attributes: '', content: set }))
  },
  CancelTask(host, call) {
    const found = host.world.find('Task', call.self.value)
    if (found === undefined) return gone(call)
    if ('cancel' in found && typeof found.cancel === 'function') found.cancel()
    return nothing
  },
  CreateSnapshot_Task: createSnapshot,
  RemoveSnapshot_Task: removeSnapshot,
}

/** What a host answers to a call. */
export async function answerCall(host: Host, call: Call): Promise<Given | Refusal> {
  const at = host.refusals.findIndex(({ method }) => method === call.method)
  const [scripted] = at < 0 ? [] : host.refusals.splice(at, 1)
  if (scripted !== undefined) return { refused: scripted.fault }
  if (call.method === 'RetrieveServiceContent') return returned(element('returnval', serviceContent(typedValues(host.style), host)))
  if (call.method === 'Login') return login(host, call)
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
  return handler(host, call, session)
}
