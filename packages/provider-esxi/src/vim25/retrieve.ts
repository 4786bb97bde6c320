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

/** Properties of all objects of a type below a folder, a page at a time. The view that it needs on the host is removed at the end. */
export async function* retrieveAll<Type extends string>(
  session: Session,
  type: Type,
  paths: readonly string[],
  options: CallOptions,
): AsyncGenerator<Retrieved<Type>> {
  const { viewManager, rootFolder } = session.content
  if (viewManager === undefined) return
  const view = await session.call('CreateContainerView', viewManager, { container: rootFolder, type: [type], recursive: true }, options)
  const traversal: Data<'TraversalSpec'> = {
    $type: 'TraversalSpec',
    name: 'view',
    type: 'ContainerView',
    path: 'view',
    skip: false,
    selectSet: [],
  }
  const spec: Spec = { propSet: [{ type, pathSet: paths }], objectSet: [{ obj: view, skip: true, selectSet: [traversal] }] }
  try {
    for await (const page of pages(session, spec, options)) for (const content of page) yield retrieved(content) as Retrieved<Type>
  } finally {
    await tidily(session.clock, 'DestroyView', (inner) => session.call('DestroyView', view, {}, inner))
  }
}
