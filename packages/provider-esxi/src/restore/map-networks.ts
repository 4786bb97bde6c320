import { HoldfastError, invalidOptions, nearest } from '@holdfast/core/spec'
import type { KnownNetwork } from '../inventory/network-cards.ts'

/** Networks of a point on networks of a host. */
export interface MappedNetworks {
  readonly mapping: readonly { readonly name: string; readonly network: KnownNetwork }[]
  /** What somebody asked for by name. Cards of any other network of an isolated machine are not connected. */
  readonly asked: readonly KnownNetwork[]
}

/** What maps them. */
export interface NetworkRules {
  /** By name, what the options say. */
  readonly given: { readonly [name: string]: string }
  /** A machine without a network of its own: every network that nobody has mapped may be anything, since its cards are cut. */
  readonly isolated: boolean
  /** Cards that are cut will be plugged in one day, so that each must have its place. */
  readonly inPlace?: boolean
  /** The host as it was configured, for messages. */
  readonly at: string
}

const quoted = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(', ') || 'none'

function refuseUnknown({ given, at }: NetworkRules, names: readonly string[], available: readonly KnownNetwork[]): void {
  const there = available.map(({ name }) => name)
  for (const [name, wanted] of Object.entries(given)) {
    const path = `networks[${JSON.stringify(name)}]`
    if (!names.includes(name)) {
      const meant = nearest(name, names)
      throw invalidOptions('esxi restore options', [
        { path, problem: `is no network of this point, which has ${quoted(names)}`, ...(meant !== undefined && { meant }) },
      ])
    }
    if (there.includes(wanted)) continue
    const meant = nearest(wanted, there)
    throw invalidOptions('esxi restore options', [
      {
        path,
        problem: `is ${JSON.stringify(wanted)}: ${at} has no such network, only ${quoted(there)}`,
        ...(meant !== undefined && { meant }),
      },
    ])
  }
}

function unmapped(names: readonly string[], available: readonly KnownNetwork[], at: string): HoldfastError {
  const there = available.map(({ name }) => name)
  const which = names.length === 1 ? `The network ${quoted(names)} of the point is` : `The networks ${quoted(names)} of the point are`
  // Of several each is another one: an example with one name for all would be taken as it is.
  const instead = names.length === 1 ? (there[0] ?? '...') : '...'
  const example = `networks: { ${names.map((name) => `${JSON.stringify(name)}: ${JSON.stringify(instead)}`).join(', ')} }`
  return new HoldfastError('INVALID_OPTIONS', `${which} not on ${at}, which has ${quoted(there)}.`, {
    remedy: there.length === 0 ? 'Make a network on the host first.' : `Say which to use instead: options ${example}.`,
    details: { networks: [...names], available: there },
  })
}

/**
 * Finds a network of the host for each of a point: what the options say, one of the same name, the only one there is.
 * @throws INVALID_OPTIONS: some stay unmapped, with both sides named; or the options name what is not there.
 */
export function mapNetworks(names: readonly string[], available: readonly KnownNetwork[], rules: NetworkRules): MappedNetworks {
  const { given, isolated, inPlace, at } = rules
  refuseUnknown(rules, names, available)
  const byName = (wanted: string | undefined) => available.find(({ name }) => name === wanted)
  const asked = available.filter(({ name }) => Object.values(given).includes(name))
  const only = available.length === 1 ? available[0] : undefined
  // A cut card is best on a network that nothing else uses.
  const anywhere = isolated && inPlace !== true
  const spare = anywhere ? (available.find((one) => !asked.includes(one)) ?? available[0]) : undefined
  const unused = (found: KnownNetwork | undefined) => (anywhere && found !== undefined && asked.includes(found) ? undefined : found)
  const mapping: { name: string; network: KnownNetwork }[] = []
  const missing: string[] = []
  for (const name of names) {
    const wanted = Object.hasOwn(given, name) ? byName(given[name]) : undefined
    const network = wanted ?? unused(byName(name)) ?? unused(only) ?? spare
    if (network === undefined) missing.push(name)
    else mapping.push({ name, network })
  }
  if (missing.length > 0) throw unmapped(missing, available, at)
  // A network that an unmapped name had to be put on as well is none that a card can be told by.
  const shared = mapping.filter(({ name }) => !Object.hasOwn(given, name)).map(({ network }) => network)
  return { mapping, asked: isolated ? asked.filter((one) => !shared.includes(one)) : asked }
}
