import { type DataTypeName, dataTypes } from './data-types.ts'
import type { DataTypeEntry } from './schema/schema-entry.ts'

/** A field as `dataTypes` writes it, taken apart. */
export interface Field {
  /** Without `[]` and `?`. */
  readonly type: string
  readonly list: boolean
  readonly optional: boolean
}

export function fieldOf(text: string): Field {
  const optional = text.endsWith('?')
  const inner = optional ? text.slice(0, -1) : text
  const list = inner.endsWith('[]')
  return { type: list ? inner.slice(0, -2) : inner, list, optional }
}

export const isDataType = (name: string): name is DataTypeName => Object.hasOwn(dataTypes, name)

/** From the most general one down to the type itself. */
function lineOf(name: DataTypeName): readonly DataTypeEntry[] {
  const entry: DataTypeEntry = dataTypes[name]
  return [...(entry.base !== undefined && isDataType(entry.base) ? lineOf(entry.base) : []), entry]
}

/** All fields of a data object in the order of the schema: those of its bases first. */
export function fieldsOf(name: DataTypeName): { readonly [name: string]: string } {
  return Object.assign({}, ...lineOf(name).map(({ fields }) => fields))
}

/** Whether a data object is of a type or of one that is derived from it. */
export function isA(actual: string, general: string): boolean {
  if (actual === general) return true
  if (!isDataType(actual)) return false
  const { base }: DataTypeEntry = dataTypes[actual]
  return base !== undefined && isA(base, general)
}
