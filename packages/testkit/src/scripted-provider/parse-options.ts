import { HoldfastError, type Json, type Provider } from '@holdfast/core/spec'

/** Strict: an object with no other members than these flags. The message names the path. */
export function flagOptions(flags: { readonly [use: string]: readonly string[] }): NonNullable<Provider['parseOptions']> {
  return (use, input): Json => {
    if (input === undefined || input === null) return {}
    if (typeof input !== 'object' || Array.isArray(input)) throw new HoldfastError('INVALID_OPTIONS', `${use} options: not an object`)
    const known = flags[use] ?? []
    for (const [name, value] of Object.entries(input)) {
      if (!known.includes(name))
        throw new HoldfastError('INVALID_OPTIONS', `${use} options: "${name}" is not known; known are: ${known.join(', ') || 'none'}`)
      if (typeof value !== 'boolean') throw new HoldfastError('INVALID_OPTIONS', `${use} options: ${name}: expected true or false`)
    }
    return { ...input }
  }
}

/** The data of an intent of ours, read back. Throws INVALID_OPTIONS naming the member. */
export function member(data: Json, name: string): string {
  const value =
    typeof data === 'object' && data !== null && !Array.isArray(data) ? (data as { readonly [key: string]: Json })[name] : undefined
  if (typeof value !== 'string') throw new HoldfastError('INVALID_OPTIONS', `intent data: ${name}: expected text`)
  return value
}

export const flag = (options: Json, name: string): boolean | undefined => {
  const value = typeof options === 'object' && options !== null ? (options as { readonly [key: string]: Json })[name] : undefined
  return typeof value === 'boolean' ? value : undefined
}
