import { HoldfastError, oneLine, showValue } from '@holdfast/core/spec'
import { attributeOf, parseXml, type XmlElement } from '../vim25/xml.ts'
import { type StartTag, startTags } from './start-tags.ts'

/** Whose descriptor is read, for messages, and what it is to hold a broken one. */
export interface OvfContext {
  /** How messages name it, for example `web.ovf`. */
  readonly what: string
  /** POINT_DAMAGED (the default) for one that comes from a repository, INVALID_OPTIONS for one that a person has given. */
  readonly code?: 'POINT_DAMAGED' | 'INVALID_OPTIONS'
}

/** A parsed descriptor that can say where its elements stand. */
export interface OvfDocument {
  readonly context: OvfContext
  readonly text: string
  readonly root: XmlElement
  tagOf(element: XmlElement): StartTag | undefined
  /** The error of something that is wrong at an element. */
  fault(element: XmlElement, problem: string, remedy?: string): HoldfastError
}

/** A descriptor of a machine with thousands of devices has a tenth of it. */
export const longestDescriptor = 4 * 1024 * 1024
const limits = { elements: 50_000, depth: 64 }
export const ovfNamespace = 'http://schemas.dmtf.org/ovf/envelope/1'
export const vmwareNamespace = 'http://www.vmware.com/schema/ovf'

const defaultRemedies = {
  POINT_DAMAGED: 'Restore another point, or export the machine again: this descriptor cannot be used as it is.',
  INVALID_OPTIONS: 'Mend the descriptor at the line shown, or export the machine again.',
}

/** An error about the descriptor as a whole, or about a line of it. */
export function ovfFault({ what, code = 'POINT_DAMAGED' }: OvfContext, problem: string, line?: number, remedy?: string): HoldfastError {
  const where = line === undefined ? what : `${what}, line ${line}`
  return new HoldfastError(code, `${where}: ${problem}`, {
    remedy: remedy ?? defaultRemedies[code],
    ...(line !== undefined && { details: { file: what, line } }),
  })
}

function lineOfFailure(error: unknown): number | undefined {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
  const line = /Line: (\d+)/.exec(cause)?.[1]
  // The parser counts from 0.
  return line === undefined ? undefined : Number(line) + 1
}

function parsed(text: string, context: OvfContext): { readonly root: XmlElement; readonly tags: readonly StartTag[] } {
  if (text.length > longestDescriptor)
    throw ovfFault(context, `the descriptor has ${text.length} characters, more than the ${longestDescriptor} that are read`)
  const bare = text.startsWith('\ufeff') ? text.slice(1) : text
  try {
    const tags = startTags(bare, limits)
    return { root: parseXml(bare), tags }
  } catch (error) {
    const problem = error instanceof Error ? oneLine(error.message, 200) : 'it cannot be parsed'
    throw ovfFault(context, problem, lineOfFailure(error))
  }
}

function placesOf(root: XmlElement, tags: readonly StartTag[]): ReadonlyMap<XmlElement, StartTag> {
  const places = new Map<XmlElement, StartTag>()
  let next = 0
  const walk = (element: XmlElement): void => {
    const tag = tags[next++]
    if (tag !== undefined) places.set(element, tag)
    for (const child of element.children) walk(child)
  }
  walk(root)
  return places
}

/** @throws the context's code when it is no XML; UNSUPPORTED_FORMAT when it is something else than OVF 1. */
export function openOvfDocument(text: string, context: OvfContext): OvfDocument {
  const { root, tags } = parsed(text, context)
  const places = placesOf(root, tags)
  if (root.name !== 'Envelope' || root.namespace !== ovfNamespace) {
    const found = `it begins with ${showValue(root.name)} of the namespace ${showValue(root.namespace)}`
    throw new HoldfastError(
      'UNSUPPORTED_FORMAT',
      `${context.what} is not a descriptor of OVF 1: ${found}, not with Envelope of ${ovfNamespace}`,
      {
        remedy: 'Export the machine again as OVF 1.0 or 1.1, the version that VMware and VirtualBox write.',
      },
    )
  }
  const tagOf = (element: XmlElement) => places.get(element)
  return {
    context,
    text: text.startsWith('\ufeff') ? text.slice(1) : text,
    root,
    tagOf,
    fault: (element, problem, remedy) => ovfFault(context, problem, tagOf(element)?.line, remedy),
  }
}

/** Children of the namespace of OVF, with this name. */
export const ovfChildren = (element: XmlElement, name: string): readonly XmlElement[] =>
  element.children.filter((child) => child.name === name && child.namespace === ovfNamespace)

export const ovfChild = (element: XmlElement, name: string): XmlElement | undefined => ovfChildren(element, name)[0]

/** An attribute of OVF; some writers leave the prefix away, which the schema does not allow and everybody reads. */
export const ovfAttribute = (element: XmlElement, name: string): string | undefined =>
  attributeOf(element, name, ovfNamespace) ?? attributeOf(element, name)

export function requiredAttribute(document: OvfDocument, element: XmlElement, name: string): string {
  const value = ovfAttribute(element, name)
  if (value !== undefined && value !== '') return value
  throw document.fault(element, `<${element.name}> has no ${name}`)
}

/** A whole number of bytes or of units, from 0 to `most`. */
export function wholeNumber(
  document: OvfDocument,
  element: XmlElement,
  text: string,
  what: string,
  most = Number.MAX_SAFE_INTEGER,
): number {
  const digits = text.trim()
  const value = /^\d{1,16}$/.test(digits) ? Number(digits) : Number.NaN
  if (Number.isSafeInteger(value) && value <= most) return value
  throw document.fault(element, `${what} is ${showValue(text)}, not a whole number from 0 to ${most}`)
}

export function optionalNumber(document: OvfDocument, element: XmlElement, name: string): number | undefined {
  const text = ovfAttribute(element, name)
  return text === undefined ? undefined : wholeNumber(document, element, text, name)
}
