import { isKindOf } from './managed-types.ts'
import type { SimulatedObject, SimulatedWorld } from './simulated-world.ts'
import { element, field, localized, type PrefixStyle, reference, typedValues } from './soap-answer.ts'
import { type RequestElement, textAt } from './soap-request.ts'

const notFound = (type: string, value: string) => ({
  fault: 'ManagedObjectNotFound',
  message: 'The object has already been deleted or has not been completely created',
  fields: reference('obj', type, value),
})

interface Filter {
  readonly type: string
  readonly value: string
  readonly paths: readonly string[]
  /** What was told last, by path; undefined before the first time. */
  told: Map<string, string> | undefined
}

/** What a filter is about: objects, or the members of views. */
export interface Selected {
  readonly objects: readonly {
    readonly type: string
    readonly value: string
    /** The object itself does not count, only what is reached from it. */
    readonly skip: boolean
  }[]
  /** The paths that are wanted of an object. */
  pathsOf(type: string): readonly string[]
  /** An object that is not there is left out of an answer, and no fault. */
  readonly leavesOutMissing: boolean
}

const called = (element: RequestElement, wanted: string): readonly RequestElement[] =>
  element.children.filter(({ name }) => name === wanted)

export function selectedBy(spec: RequestElement): Selected {
  const sets = called(spec, 'propSet').map((set) => ({
    type: textAt(set, 'type') ?? '',
    paths: called(set, 'pathSet').map(({ text }) => text),
  }))
  return {
    objects: called(spec, 'objectSet').map((set) => {
      const [object] = called(set, 'obj')
      return { type: object?.type ?? '', value: object?.text ?? '', skip: textAt(set, 'skip') === 'true' }
    }),
    pathsOf: (type) => [...new Set(sets.filter((set) => isKindOf(type, set.type)).flatMap(({ paths }) => paths))],
    leavesOutMissing: textAt(spec, 'reportMissingObjectsInResults') === 'true',
  }
}

/** Properties as they are told: `ObjectContent`. */
export function objectContent(style: PrefixStyle, object: SimulatedObject, paths: readonly string[]): string {
  const properties = object.properties(typedValues(style))
  const told = paths.flatMap((path) => {
    const value = properties[path]
    return value === undefined ? [] : [`<propSet>${field('name', path)}${element('val', value)}</propSet>`]
  })
  return `${reference('obj', object.type, object.value)}${told.join('')}`
}

type Woken = 'changed' | 'cancelled' | 'late'

/** Until something in the world changes, somebody calls what `offer` is given, or nobody waits any more. */
async function nextChange(
  world: SimulatedWorld,
  seconds: number,
  closed: AbortSignal,
  offer: (cancel: () => void) => void,
): Promise<Woken> {
  const { promise, resolve } = Promise.withResolvers<Woken>()
  const over = new AbortController()
  const late = () => resolve('late')
  world.clock.sleep(seconds * 1000, { signal: AbortSignal.any([over.signal, closed]) }).then(late, late)
  const unwatch = world.watch(() => resolve('changed'))
  offer(() => resolve('cancelled'))
  return promise.finally(() => {
    over.abort()
    unwatch()
  })
}

/** A property collector: its filters, and what has changed since it was asked last. */
export function createCollector(world: SimulatedWorld, style: PrefixStyle) {
  const filters = new Map<string, Filter>()
  let version = 0
  let cancel: (() => void) | undefined

  const changesOf = (value: string, filter: Filter): string => {
    const object = world.find(filter.type, filter.value)
    const obj = reference('obj', filter.type, filter.value)
    const update = (kind: string, changes: string): string =>
      `<filterSet>${reference('filter', 'PropertyFilter', value)}<objectSet>${field('kind', kind)}${obj}${changes}</objectSet></filterSet>`
    if (object === undefined) {
      if (filter.told?.size === 0) return ''
      const first = filter.told === undefined
      filter.told = new Map()
      return update(
        first ? 'enter' : 'leave',
        first ? `<missingSet>${field('path', '')}${localized(style, 'fault', notFound(filter.type, filter.value))}</missingSet>` : '',
      )
    }
    const properties = object.properties(typedValues(style))
    const now = new Map(filter.paths.flatMap((path) => (properties[path] === undefined ? [] : [[path, element('val', properties[path])]])))
    const changed = [...now].filter(([path, text]) => filter.told?.get(path) !== text)
    if (filter.told !== undefined && changed.length === 0) return ''
    const kind = filter.told === undefined ? 'enter' : 'modify'
    filter.told = now
    return update(
      kind,
      changed.map(([path, text]) => `<changeSet>${field('name', path)}${field('op', 'assign')}${text}</changeSet>`).join(''),
    )
  }

  return {
    add(spec: Selected): string {
      const value = world.next('filter')
      const { type, value: object } = spec.objects[0] ?? { type: '', value: '' }
      filters.set(value, { type, value: object, paths: spec.pathsOf(type), told: undefined })
      return value
    },
    remove: (filter: string): boolean => filters.delete(filter),
    cancelWait: () => cancel?.(),
    /** The set of updates as soon as there is one; undefined when none came in time; `cancelled` when somebody asked for that. */
    async wait(seconds: number, closed: AbortSignal): Promise<string | 'cancelled' | undefined> {
      for (;;) {
        const sets = [...filters].map(([value, filter]) => changesOf(value, filter)).join('')
        if (sets !== '') {
          version += 1
          return `${field('version', version)}${sets}`
        }
        const why = await nextChange(world, seconds, closed, (wake) => {
          cancel = wake
        })
        cancel = undefined
        if (why === 'cancelled') return 'cancelled'
        if (why === 'late') return undefined
      }
    },
  }
}
