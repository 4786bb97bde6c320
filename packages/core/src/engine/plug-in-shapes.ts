import { type OptionsMistake, showValue } from '../spec/helpers/index.ts'

/** What a plug-in of one contract must have for the engine to work with it at all. */
interface Shape {
  readonly a: string
  /** Plug-ins have one; a clock or a logger of the application has none. */
  readonly versioned: boolean
  readonly members: readonly PropertyKey[]
  /** Where a text is most likely a path. */
  readonly showsText?: true
  /** What a person who gave something else has probably meant. */
  remedy?(value: unknown): string | undefined
}

const named = ['repositories', 'providers', 'notifiers'] as const
const single = ['store', 'scheduler', 'logger', 'clock', 'ids'] as const
type PlugInOption = (typeof named | typeof single)[number]

const dispose = Symbol.asyncDispose
const isPath = (value: unknown): boolean => typeof value === 'string' && !value.includes('://')
const shapes: { readonly [Option in PlugInOption]: Shape } = {
  store: {
    a: 'store',
    versioned: true,
    showsText: true,
    members: ['open', 'plans', 'runs', 'points', 'nodes', 'replications', 'outbox', dispose],
    remedy: (value) => (isPath(value) ? `Use sqlite({ file: ${showValue(value)} }) of @holdfast/store-sqlite.` : undefined),
  },
  repositories: {
    a: 'repository',
    versioned: true,
    showsText: true,
    members: ['check', 'put', 'open', 'list', 'sync', 'delete', dispose],
    remedy: (value) => (isPath(value) ? `Use localRepository({ folder: ${showValue(value)} }).` : undefined),
  },
  providers: { a: 'provider', versioned: true, members: ['check', 'workloads', 'backup', 'restore', 'undo', dispose] },
  notifiers: {
    a: 'notifier',
    versioned: true,
    members: ['send', dispose],
    remedy: (value) => (typeof value === 'function' ? 'To write to the console, use consoleNotifier({ write: console.log }).' : undefined),
  },
  scheduler: { a: 'scheduler', versioned: true, members: ['start', 'notify', 'stop', dispose] },
  logger: {
    a: 'logger',
    versioned: false,
    members: ['debug', 'info', 'warn', 'error'],
    remedy: () => 'Use consoleLogger({ write, clock }), or console itself.',
  },
  clock: { a: 'clock', versioned: false, members: ['now', 'monotonic', 'sleep'] },
  ids: { a: 'maker of ids', versioned: false, members: ['next'] },
}

/** A plug-in that is none would be noticed by the first run that needs it: at 3 a.m., as INTERNAL. */
export function badPlugIns(options: { readonly [option: string]: unknown }): readonly OptionsMistake[] {
  return [
    ...single.flatMap((option) => (options[option] === undefined ? [] : badPlugIn(shapes[option], option, options[option]))),
    ...named.flatMap((option) => (options[option] === undefined ? [] : badGroup(shapes[option], option, options[option]))),
  ]
}

function badGroup(shape: Shape, option: string, group: unknown): readonly OptionsMistake[] {
  const expected = `expected ${option} by their names`
  const remedy = `Write ${option}: { main: ... }.`
  if (typeof group !== 'object' || group === null || Array.isArray(group))
    return [{ path: option, problem: `is ${showValue(group)}; ${expected}`, remedy }]
  if ('specVersion' in group && typeof group.specVersion === 'number')
    return [{ path: option, problem: `is one ${shape.a}; ${expected}`, remedy }]
  return Object.entries(group).flatMap(([name, value]) => badPlugIn(shape, `${option}.${name}`, value))
}

function badPlugIn(shape: Shape, path: string, value: unknown): readonly OptionsMistake[] {
  const mistake = (problem: string, general?: string): readonly OptionsMistake[] => {
    const remedy = [shape.remedy?.(value), general].filter((words) => words !== undefined).join(' ')
    return [{ path, problem, ...(remedy !== '' && { remedy }) }]
  }
  if (isPromise(value)) return mistake(`is a promise; expected a ${shape.a}`, `Give ${path} what it resolves to: await it.`)
  if (typeof value === 'function' && shape.versioned)
    return mistake(`is a function; expected a ${shape.a}`, `If it makes the ${shape.a}, call it: ${path.split('.').at(-1)}: make({ ... }).`)
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null)
    return mistake(`is ${shownText(shape, value)}; expected a ${shape.a}`)
  const has = value as { readonly [member: PropertyKey]: unknown }
  const lacking = shape.members.filter((member) => has[member] === undefined || has[member] === null)
  if (lacking.length > 0) return mistake(`has no ${lacking.map(memberText).join(', ')}, so it is no ${shape.a}`)
  if (!shape.versioned || has.specVersion === 1) return []
  const remedy = `Install the version of this ${shape.a} that goes with this version of @holdfast/core.`
  return mistake(`has specVersion ${showValue(has.specVersion)}; expected 1`, remedy)
}

/** The path of an address may be its password: of what could be one, nothing is shown. A folder or a file is what helps. */
const shownText = (shape: Shape, value: unknown): string =>
  typeof value === 'string' && (!shape.showsText || !isPath(value)) ? 'a text (not shown: it may be secret)' : showValue(value)

const memberText = (member: PropertyKey): string => (typeof member === 'symbol' ? `[${member.description}]` : String(member))

const isPromise = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
