import type { CallOptions } from '@holdfast/core/spec'
import { isData } from './decode.ts'
import { type Session, tidily } from './session.ts'
import type { Data, MoRef } from './values.ts'

/** Properties of one object. What the host does not give is not there: of a machine that is not accessible that may be all of it. */
export interface Retrieved<Type extends string = string> {
  readonly ref: MoRef<Type>
  readonly values: { readonly [path: string]: unknown }
  /** Paths that the account may not read, or the host cannot. */
  readonly missing: readonly string[]
}

/** More objects in one answer are read for so long that a process does nothing else meanwhile. */
const mostObjects = 100

function retrieved({ obj, propSet, missingSet }: Data<'ObjectContent'>): Retrieved {
  return { ref: obj, values: Object.fromEntries(propSet.map(({ name, val }) => [name, val])), missing: missingSet.map(({ path }) => path) }
}

/** An ended session may show itself as a property that is missing, in an answer that is otherwise good. */
const endedIn = (content: Data<'ObjectContent'>): boolean => content.missingSet.some(({ fault }) => isData(fault.fault, 'NotAuthenticated'))

type Spec = Data<'PropertyFilterSpec'>

async function* pages(session: Session, spec: Spec, { signal }: CallOptions): AsyncGenerator<readonly Data<'ObjectContent'>[]> {
  const collector = session.content.propertyCollector
  const first = () => session.call('RetrievePropertiesEx', collector, { specSet: [spec], options: { maxObjects: mostObjects } }, { signal })
  let page = await first()
  if (page?.objects.some(endedIn)) {
    // Any other call finds that the session has ended, and opens it again.
    await session.call('CurrentTime', { type: 'ServiceInstance', value: 'ServiceInstance' }, {}, { signal })
    page = await first()
  }
  while (page !== undefined) {
    yield page.objects
    if (page.token === undefined) return
    page = await session.call('ContinueRetrievePropertiesEx', collector, { token: page.token }, { signal })
  }
}

/**
 * Properties of one object.
 * @throws NOT_FOUND: there is no such object (any more).
 */
export async function retrieveOne<Type extends string>(
  session: Session,
  ref: MoRef<Type>,
  paths: readonly string[],
  options: CallOptions,
): Promise<Retrieved<Type>> {
  const spec: Spec = { propSet: [{ type: ref.type, pathSet: paths }], objectSet: [{ obj: ref, selectSet: [] }] }
  for await (const [content] of pages(session, spec, options)) if (content !== undefined) return { ...retrieved(content), ref }
  return { ref, values: {}, missing: paths }
}

/** Paths of the properties that are wanted, by the type of object. A type stands for those below it too. */
export type Wanted = { readonly [type: string]: readonly string[] }

const propertySets = (wanted: Wanted): Spec['propSet'] => Object.entries(wanted).map(([type, pathSet]) => ({ type, pathSet }))

/**
 * Properties of some objects, with one question. What is not there any more is left out.
 *
 * Source: PropertyFilterSpec.reportMissingObjectsInResults, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vmodl.query.PropertyCollector.FilterSpec.html
 */
export async function* retrieveSome(
  session: Session,
  refs: readonly MoRef[],
  wanted: Wanted,
  options: CallOptions,
): AsyncGenerator<Retrieved> {
  if (refs.length === 0) return
  const objectSet = refs.map((obj) => ({ obj, selectSet: [] }))
  const spec: Spec = { propSet: propertySets(wanted), objectSet, reportMissingObjectsInResults: true }
  for await (const page of pages(session, spec, options)) for (const content of page) yield retrieved(content)
}

/** Properties of all objects of some types below the root folder, a page at a time, in no order of types. The one view that it needs on the host is removed at the end. */
export async function* retrieveTypes(session: Session, wanted: Wanted, options: CallOptions): AsyncGenerator<Retrieved> {
  const { viewManager, rootFolder } = session.content
  if (viewManager === undefined) return
  const type = Object.keys(wanted)
  const view = await session.call('CreateContainerView', viewManager, { container: rootFolder, type, recursive: true }, options)
  const traversal: Data<'TraversalSpec'> = {
    $type: 'TraversalSpec',
    name: 'view',
    type: 'ContainerView',
    path: 'view',
    skip: false,
    selectSet: [],
  }
  const spec: Spec = { propSet: propertySets(wanted), objectSet: [{ obj: view, skip: true, selectSet: [traversal] }] }
  try {
    for await (const page of pages(session, spec, options)) for (const content of page) yield retrieved(content)
  } finally {
    await tidily(session.clock, 'DestroyView', (inner) => session.call('DestroyView', view, {}, inner))
  }
}

/** As `retrieveTypes`, of one type. */
export async function* retrieveAll<Type extends string>(
  session: Session,
  type: Type,
  paths: readonly string[],
  options: CallOptions,
): AsyncGenerator<Retrieved<Type>> {
  for await (const one of retrieveTypes(session, { [type]: paths }, options)) yield one as Retrieved<Type>
}
