import { invalidOptions, pathText } from '../spec/helpers/parse-options.ts'
import type { Json } from '../spec/json.ts'

const deepest = 64

/**
 * A copy of `input` as plain data; members that are undefined are left out. Throws INVALID_OPTIONS with the path for what JSON would lose or change
 * without a word: functions, dates, maps, class instances, NaN, cycles, more than 64 levels. `subject` names the input in the message.
 */
export function plainJson(input: unknown, subject: string, path: readonly PropertyKey[] = []): Json {
  if (input === null || typeof input === 'boolean') return input
  if (typeof input === 'string') return input
  if (typeof input === 'number' && Number.isFinite(input)) return input
  if (path.length > deepest) throw notPlain(subject, path.slice(0, 3), `is nested deeper than ${deepest} levels`)
  if (Array.isArray(input)) return input.map((element, index) => plainJson(element, subject, [...path, index]))
  if (typeof input !== 'object' || !isPlainObject(input)) throw notPlain(subject, path, `is ${kindOf(input)}; expected plain data`)
  const copy: { [name: string]: Json } = {}
  for (const [name, value] of Object.entries(input)) {
    if (name === '__proto__') throw notPlain(subject, [...path, name], 'is not a name that data may have')
    if (value !== undefined) copy[name] = plainJson(value, subject, [...path, name])
  }
  return copy
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function kindOf(value: unknown): string {
  if (typeof value === 'object' && value !== null) return `an instance of ${value.constructor?.name ?? 'an unknown class'}`
  return typeof value === 'function' ? 'a function' : value === undefined ? 'undefined' : String(value)
}

const notPlain = (subject: string, path: readonly PropertyKey[], problem: string) =>
  invalidOptions(subject, [{ path: pathText(path), problem }])
