/**
 * A frozen copy of JSON data, as if it had gone through a file and back: members that are `undefined` are left out. What a store keeps must not
 * change when its caller goes on using the object, nor the other way round.
 */
export function plain<T>(value: T): T {
  return copy(value) as T
}

function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Object.freeze(value.map(copy))
  const result: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[key]
    if (member !== undefined) result[key] = copy(member)
  }
  return Object.freeze(result)
}

/** The value without some of its members. */
export function without<T extends object, K extends keyof T>(value: T, ...keys: readonly K[]): Omit<T, K> {
  const result = { ...value }
  for (const key of keys) delete result[key]
  return result
}

/** Equality of plain data, member order apart. */
export function same(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  if (Array.isArray(left) !== Array.isArray(right)) return false
  const leftKeys = Object.keys(left)
  if (leftKeys.length !== Object.keys(right).length) return false
  return leftKeys.every((key) => key in right && same((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key]))
}
