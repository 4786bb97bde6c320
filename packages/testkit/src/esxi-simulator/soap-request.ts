import { Parser } from 'xml2js'

/** An element of a request, without prefixes. */
export interface RequestElement {
  readonly name: string
  /** Of a reference: the type of what it refers to. */
  readonly type: string | undefined
  /** By their names without prefix, but `xsi:type`, which is under that name whatever its prefix is. */
  readonly attributes: { readonly [name: string]: string }
  readonly text: string
  readonly children: readonly RequestElement[]
}

/** A call as it came. */
export interface SoapRequest {
  readonly method: string
  readonly self: { readonly type: string; readonly value: string }
  readonly parameters: readonly RequestElement[]
}

interface Parsed {
  readonly '#name': string
  readonly $?: { readonly [name: string]: string }
  readonly $$?: readonly Parsed[]
  readonly _?: string
}

const withoutPrefix = (name: string): string => name.slice(name.indexOf(':') + 1)

/** An attribute `type` with a prefix says what an element is, one without what a reference is to. */
const attributeName = (name: string): string => (/:type$/.test(name) ? 'xsi:type' : withoutPrefix(name))

const elementOf = (parsed: Parsed): RequestElement => ({
  name: withoutPrefix(parsed['#name']),
  type: parsed.$?.type,
  attributes: Object.fromEntries(Object.entries(parsed.$ ?? {}).map(([name, value]) => [attributeName(name), value])),
  text: parsed._ ?? '',
  children: (parsed.$$ ?? []).filter((child) => child['#name'] !== '__text__').map(elementOf),
})

/** One document, without prefixes; undefined: not well-formed. */
export function parseElement(text: string): RequestElement | undefined {
  let root: Parsed | undefined
  let broken = false
  new Parser({
    async: false,
    explicitRoot: false,
    explicitChildren: true,
    preserveChildrenOrder: true,
    charsAsChildren: false,
  }).parseString(text, (error: Error | null, parsed: Parsed | undefined) => {
    broken ||= error !== null
    root = parsed ?? undefined
  })
  return broken || root === undefined ? undefined : elementOf(root)
}

/** Undefined: not a call. */
export function parseSoapRequest(text: string): SoapRequest | undefined {
  const call = parseElement(text)?.children.find(({ name }) => name === 'Body')?.children[0]
  const self = call?.children.find(({ name }) => name === '_this')
  if (call === undefined || self?.type === undefined) return undefined
  return { method: call.name, self: { type: self.type, value: self.text }, parameters: call.children.filter((child) => child !== self) }
}

export const parameter = ({ parameters }: SoapRequest, name: string): RequestElement | undefined =>
  parameters.find((one) => one.name === name)

export const textAt = (element: RequestElement | undefined, name: string): string | undefined =>
  element?.children.find((child) => child.name === name)?.text
