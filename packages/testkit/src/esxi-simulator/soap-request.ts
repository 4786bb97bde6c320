import { Parser } from 'xml2js'

/** An element of a request, without prefixes. */
export interface RequestElement {
  readonly name: string
  /** Of a reference: the type of what it refers to. */
  readonly type: string | undefined
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

const elementOf = (parsed: Parsed): RequestElement => ({
  name: withoutPrefix(parsed['#name']),
  type: parsed.$?.type,
  text: parsed._ ?? '',
  children: (parsed.$$ ?? []).filter((child) => child['#name'] !== '__text__').map(elementOf),
})

/** Undefined: not a call. */
export function parseSoapRequest(text: string): SoapRequest | undefined {
  let root: Parsed | undefined
  new Parser({
    async: false,
    explicitRoot: false,
    explicitChildren: true,
    preserveChildrenOrder: true,
    charsAsChildren: false,
  }).parseString(text, (_error: Error | null, parsed: Parsed | undefined) => {
    root = parsed ?? undefined
  })
  const call = root && elementOf(root).children.find(({ name }) => name === 'Body')?.children[0]
  const self = call?.children.find(({ name }) => name === '_this')
  if (call === undefined || self?.type === undefined) return undefined
  return { method: call.name, self: { type: self.type, value: self.text }, parameters: call.children.filter((child) => child !== self) }
}

export const parameter = ({ parameters }: SoapRequest, name: string): RequestElement | undefined =>
  parameters.find((one) => one.name === name)

export const textAt = (element: RequestElement | undefined, name: string): string | undefined =>
  element?.children.find((child) => child.name === name)?.text
