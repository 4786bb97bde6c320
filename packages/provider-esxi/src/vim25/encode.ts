import { fieldOf, fieldsOf, isDataType } from './field.ts'
import type { MoRef } from './values.ts'
import { writeXml } from './write-xml.ts'
import { escapeXml, type XmlElement } from './xml.ts'

/** The prefixes that an envelope of ours declares; the default one is that of vim25. */
export const xsi = 'http://www.w3.org/2001/XMLSchema-instance'
export const xsd = 'http://www.w3.org/2001/XMLSchema'
export const vim25 = 'urn:vim25'

/** Values by the names of their fields. */
export interface FieldRecord {
  readonly [name: string]: unknown
}

const isRecord = (value: unknown): value is FieldRecord => typeof value === 'object' && value !== null && !Array.isArray(value)

export function isMoRef(value: unknown): value is MoRef {
  return isRecord(value) && typeof value.type === 'string' && typeof value.value === 'string' && value.$type === undefined
}

/** A mistake of ours, not of a host or a user: what is sent does not fit the table. */
const misfit = (where: string, problem: string): Error => new TypeError(`${where} ${problem}`)

function element(name: string, attributes: string, content: string): string {
  return `<${name}${attributes}>${content}</${name}>`
}

function encodeReference(name: string, value: unknown, attributes = ''): string {
  if (!isMoRef(value)) throw misfit(name, 'is no reference')
  return element(name, `${attributes} type="${escapeXml(value.type)}"`, escapeXml(value.value))
}

function encodeData(name: string, type: string, value: unknown): string {
  if (!isRecord(value)) throw misfit(name, `is no ${type}`)
  const actual = typeof value.$type === 'string' ? value.$type : type
  if (!isDataType(actual)) throw misfit(name, `is a ${actual}, which is not in the table`)
  return element(name, actual === type ? '' : ` xsi:type="${actual}"`, encodeFields(fieldsOf(actual), value, name))
}

/** A value whose type the receiver learns from the value alone. */
function encodeAny(name: string, value: unknown): string {
  if (typeof value === 'string') return element(name, ' xsi:type="xsd:string"', escapeXml(value))
  if (typeof value === 'boolean') return element(name, ' xsi:type="xsd:boolean"', String(value))
  if (Number.isInteger(value)) return element(name, ' xsi:type="xsd:int"', String(value))
  if (isMoRef(value)) return encodeReference(name, value, ' xsi:type="ManagedObjectReference"')
  if (isRecord(value) && typeof value.$type === 'string') return encodeData(name, '', value)
  throw misfit(name, 'is nothing that can be sent without a type')
}

/** What a host has sent goes back as it is: the receiver has declared it. */
function encodeElement(name: string, value: unknown): string {
  if (!isRecord(value) || !Array.isArray(value.children) || !isRecord(value.namespaces)) throw misfit(name, 'is no element')
  return writeXml(value as unknown as XmlElement, name)
}

function encodeOne(name: string, type: string, value: unknown): string {
  if (isDataType(type)) return encodeData(name, type, value)
  if (type === 'ref' || type.startsWith('ref:')) return encodeReference(name, value)
  if (type === 'anyType') return encodeAny(name, value)
  if (type === 'xml') return encodeElement(name, value)
  const expected = type === 'boolean' ? 'boolean' : type === 'int' || type === 'long' ? 'number' : 'string'
  if (typeof value !== expected || (expected === 'number' && !Number.isSafeInteger(value))) throw misfit(name, `is no ${type}`)
  if (type.includes('|') && !type.split('|').includes(String(value))) throw misfit(name, `is ${String(value)}, not one of ${type}`)
  return element(name, '', escapeXml(String(value)))
}

/**
 * Writes values as elements, in the order of the fields, which is that of the schema.
 * @throws TypeError: a value is missing, is of another type, or is no field.
 */
export function encodeFields(fields: { readonly [name: string]: string }, values: FieldRecord, where: string): string {
  for (const name of Object.keys(values)) if (name !== '$type' && !Object.hasOwn(fields, name)) throw misfit(where, `has no field ${name}`)
  return Object.entries(fields)
    .map(([name, text]) => {
      const { type, list, optional } = fieldOf(text)
      const value = values[name]
      if (list) return (Array.isArray(value) ? value : []).map((item) => encodeOne(name, type, item)).join('')
      if (value !== undefined) return encodeOne(name, type, value)
      if (optional) return ''
      throw misfit(where, `lacks ${name}`)
    })
    .join('')
}
