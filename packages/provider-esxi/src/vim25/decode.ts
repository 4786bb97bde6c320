import { HoldfastError } from '@holdfast/core/spec'
import type { DataTypeName } from './data-types.ts'
import { xsd, xsi } from './encode.ts'
import { fieldOf, fieldsOf, isA, isDataType } from './field.ts'
import type { MoRef } from './values.ts'
import { attributeOf, childOf, type XmlElement } from './xml.ts'

/** A data object of a type that we do not know: newer hosts send some. */
export interface UnknownData {
  readonly $type: string
  readonly $xml: XmlElement
}

function unreadable(where: string, problem: string): HoldfastError {
  return new HoldfastError('PROVIDER_FAILED', `The host sent an answer that cannot be read: ${where} ${problem}.`, {
    retryable: false,
    remedy: 'Report it with the version of the host.',
  })
}

/** What `xsi:type` names. Prefixes are the choice of the sender. */
function typeOf(element: XmlElement): { readonly name: string; readonly namespace: string } | undefined {
  const text = attributeOf(element, 'type', xsi)
  if (text === undefined) return undefined
  const colon = text.indexOf(':')
  return { name: text.slice(colon + 1), namespace: element.namespaces[colon < 0 ? '' : text.slice(0, colon)] ?? '' }
}

function integer(element: XmlElement, where: string): number {
  const value = Number(element.text.trim())
  if (/^[+-]?\d+$/.test(element.text.trim()) && Number.isSafeInteger(value)) return value
  throw unreadable(where, `is ${JSON.stringify(element.text.slice(0, 40))}, not a whole number`)
}

function truth(element: XmlElement, where: string): boolean {
  const text = element.text.trim()
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  throw unreadable(where, `is ${JSON.stringify(text.slice(0, 40))}, not true or false`)
}

function reference(element: XmlElement, where: string): MoRef {
  const type = attributeOf(element, 'type')
  if (type === undefined || element.text === '') throw unreadable(where, 'is no reference')
  return { type, value: element.text }
}

function data(type: string, element: XmlElement, where: string): unknown {
  const actual = typeOf(element)?.name ?? type
  // What we do not know is at least what the field says it is.
  const known = isDataType(actual) ? actual : type
  if (!isDataType(known)) return { $type: actual, $xml: element } satisfies UnknownData
  return { $type: actual, ...(isA(known, 'MethodFault') ? decodeFault(known, element) : decodeFields(fieldsOf(known), element, where)) }
}

/** The fields of a fault, as far as they can be read: its name says what went wrong, and nothing may hide that. */
export function decodeFault(type: DataTypeName, element: XmlElement): { readonly [name: string]: unknown } {
  return Object.assign({}, ...Object.entries(fieldsOf(type)).map((field) => readableField(field, element, type)))
}

function readableField([name, text]: readonly [string, string], element: XmlElement, where: string): { readonly [name: string]: unknown } {
  try {
    return decodeFields({ [name]: text }, element, where)
  } catch {
    return {}
  }
}

const arrayOf = 'ArrayOf'
const integers = new Set(['int', 'long', 'short', 'byte'])

/** Lists are wrapped: `ArrayOfString` has children named `string`, of which some tell their own type. */
function list(item: string, element: XmlElement, where: string): readonly unknown[] {
  const simple = `${item.charAt(0).toLowerCase()}${item.slice(1)}`
  const type = item === 'ManagedObjectReference' ? 'ref' : isDataType(item) || item === 'AnyType' ? item : simple
  return element.children.map((child) => (item === 'AnyType' ? any(child, where) : one(type, child, where)))
}

function any(element: XmlElement, where: string): unknown {
  const type = typeOf(element)
  if (type === undefined) return attributeOf(element, 'type') === undefined ? element.text : reference(element, where)
  if (type.namespace === xsd) {
    if (type.name === 'boolean') return truth(element, where)
    return integers.has(type.name) ? integer(element, where) : element.text
  }
  if (type.name === 'ManagedObjectReference') return reference(element, where)
  if (type.name.startsWith(arrayOf)) return list(type.name.slice(arrayOf.length), element, where)
  if (isDataType(type.name)) return data(type.name, element, where)
  // An enumeration has no children.
  return element.children.length === 0 ? element.text : ({ $type: type.name, $xml: element } satisfies UnknownData)
}

function one(type: string, element: XmlElement, where: string): unknown {
  if (isDataType(type)) return data(type, element, where)
  if (type === 'ref' || type.startsWith('ref:')) return reference(element, where)
  if (type === 'anyType') return any(element, where)
  if (type === 'xml') return element
  if (type === 'boolean') return truth(element, where)
  if (integers.has(type)) return integer(element, where)
  return element.text
}

/**
 * Reads the children of an element as fields; others are passed over.
 * @throws PROVIDER_FAILED (not retryable): something that must be there is missing, or is not what it should be.
 */
export function decodeFields(
  fields: { readonly [name: string]: string },
  element: XmlElement,
  where: string,
): { readonly [name: string]: unknown } {
  const values: { [name: string]: unknown } = {}
  for (const [name, text] of Object.entries(fields)) {
    const { type, list: isList, optional } = fieldOf(text)
    const path = `${where}.${name}`
    if (isList) {
      values[name] = element.children.filter((child) => child.name === name).map((child) => one(type, child, path))
      continue
    }
    const child = childOf(element, name)
    if (child !== undefined) values[name] = one(type, child, path)
    else if (!optional) throw unreadable(path, 'is missing')
  }
  return values
}

/** One value of a field, as it stands in the body of an answer. */
export const decodeValue = one

/** Whether a decoded value is a data object of a type, or of one derived from it. */
export function isData(value: unknown, type: string): boolean {
  return typeof value === 'object' && value !== null && '$type' in value && typeof value.$type === 'string' && isA(value.$type, type)
}
