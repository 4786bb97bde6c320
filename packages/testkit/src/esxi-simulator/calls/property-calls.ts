import { isKindOf } from '../managed-types.ts'
import { createCollector, objectContent, selectedBy } from '../simulated-collector.ts'
import type { SimulatedObject } from '../simulated-world.ts'
import { element, field, reference } from '../soap-answer.ts'
import { parameter } from '../soap-request.ts'
import {
  type Call,
  type Given,
  gone,
  type Handler,
  type Host,
  nothing,
  type Refusal,
  refused,
  returned,
  type SimulatedSession,
  textOf,
} from './call.ts'

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
  const { objects, pathsOf, leavesOutMissing } = selectedBy(spec)
  const selected: SimulatedObject[] = []
  for (const { type, value, skip } of objects) {
    const found = host.world.find(type, value)
    if (skip) selected.push(...host.world.objects().filter((one) => session.views.get(value)?.some((wanted) => isKindOf(one.type, wanted))))
    else if (found !== undefined) selected.push(found)
    else if (!leavesOutMissing)
      return refused('ManagedObjectNotFound', 'The object has already been deleted', reference('obj', type, value))
  }
  const most = Number(parameter(call, 'options')?.children.find(({ name }) => name === 'maxObjects')?.text ?? 1000)
  return page(
    session,
    host,
    selected.map((one) => `<objects>${objectContent(host.style, one, pathsOf(one.type))}</objects>`),
    most,
  )
}

/** The property collector, views and tasks. */
export const propertyCalls: { readonly [method: string]: Handler } = {
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
}
