import { Parser } from 'xml2js'

/** One attribute, or the name of an element, with its namespace instead of its prefix. */
export interface XmlName {
  /** Without prefix. */
  readonly name: string
  /** Empty for an attribute without prefix. */
  readonly namespace: string
}

/** An attribute of an element; declarations of namespaces are none. */
export interface XmlAttribute extends XmlName {
  readonly value: string
}

/** An element with its children in order. */
export interface XmlElement extends XmlName {
  readonly attributes: readonly XmlAttribute[]
  readonly children: readonly XmlElement[]
  /** The characters between its children, of an element that holds no others: its value. */
  readonly text: string
  /** Namespaces by prefix, as they are in force here; the empty prefix is the default. For values that are names themselves, as in `xsi:type`. */
  readonly namespaces: { readonly [prefix: string]: string }
}

/** What the parser hands over: the shape of xml2js with `xmlns`, `explicitChildren` and `preserveChildrenOrder`. */
interface Parsed {
  readonly '#name': string
  readonly $?: {
    readonly [name: string]: { readonly local: string; readonly uri: string; readonly prefix: string; readonly value: string }
  }
  readonly $ns?: { readonly local: string; readonly uri: string }
  readonly $$?: readonly Parsed[]
  readonly _?: string
}

const declarations = 'http://www.w3.org/2000/xmlns/'

/** The parser knows no entities but the five of XML, and nothing that we talk to sends a document type: who does is hostile. */
function refuseDocumentType(text: string): void {
  if (/<!DOCTYPE/i.test(text)) throw new Error('the XML has a document type')
}

function elementOf(parsed: Parsed, outer: { readonly [prefix: string]: string }): XmlElement {
  const attributes: XmlAttribute[] = []
  let namespaces = outer
  for (const [name, attribute] of Object.entries(parsed.$ ?? {})) {
    if (name === 'xmlns') namespaces = { ...namespaces, '': attribute.value }
    else if (attribute.prefix === 'xmlns' || attribute.uri === declarations)
      namespaces = { ...namespaces, [attribute.local]: attribute.value }
    else attributes.push({ name: attribute.local, namespace: attribute.uri, value: attribute.value })
  }
  const children = (parsed.$$ ?? []).filter((child) => child['#name'] !== '__text__').map((child) => elementOf(child, namespaces))
  return {
    name: parsed.$ns?.local ?? parsed['#name'],
    namespace: parsed.$ns?.uri ?? '',
    attributes,
    children,
    text: parsed._ ?? '',
    namespaces,
  }
}

/**
 * Parses one document. Prefixes are resolved, since hosts and simulators choose their own: `type` and `xsi:type` of one element must stay two.
 * @throws Error: not well-formed, no element, or a document type.
 */
export function parseXml(text: string): XmlElement {
  refuseDocumentType(text)
  let result: Parsed | null | undefined
  const parser = new Parser({
    async: false,
    strict: true,
    xmlns: true,
    trim: false,
    normalize: false,
    explicitRoot: false,
    explicitArray: true,
    explicitChildren: true,
    preserveChildrenOrder: true,
    charsAsChildren: false,
    includeWhiteChars: false,
  })
  let failure: Error | undefined
  // Not a promise: with `async: false` it is called before parseString returns.
  parser.parseString(text, (error: Error | null, parsed: Parsed | null) => {
    if (error) failure ??= error
    else result = parsed
  })
  if (failure !== undefined) throw new Error(`the XML is not well-formed: ${failure.message.split('\n')[0]}`, { cause: failure })
  if (!result || typeof result !== 'object') throw new Error('the XML has no element')
  return elementOf(result, { xml: 'http://www.w3.org/XML/1998/namespace' })
}

export const childOf = (element: XmlElement, name: string): XmlElement | undefined => element.children.find((child) => child.name === name)

/** @param namespace Empty: an attribute without prefix. */
export function attributeOf(element: XmlElement, name: string, namespace = ''): string | undefined {
  return element.attributes.find((attribute) => attribute.name === name && attribute.namespace === namespace)?.value
}

const escapes: { readonly [character: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\r': '&#13;' }

/** For text and attribute values. A carriage return would be read back as a line feed. */
export const escapeXml = (text: string): string => text.replaceAll(/[&<>"\r]/g, (character) => escapes[character] as string)
