import assert from 'node:assert/strict'
import { codeOf, HoldfastError, type Json, type Mark } from '@holdfast/core/spec'
import { sha256 } from '../bytes.ts'
import type { CollectedItem } from '../collecting-sink.ts'
import type { PlatformThing, ProviderContractOptions } from './provider-under-test.ts'

/** Not an assertion error: runners would add the difference between true and false to what the message says. */
export function ensure(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(message)
}

export function hasCode(error: unknown, code: string, what: string): void {
  assert.equal(codeOf(error), code, `${what}: the code of "${messageOf(error)}"`)
  ensure(HoldfastError.isInstance(error), `${what}: "${messageOf(error)}" is not a HoldfastError`)
}

/** What a call says that was aborted: whoever reads it must not take it for a failure of the platform. */
export function saysAborted(error: unknown, { reason }: AbortSignal, what: string): void {
  const code = codeOf(error)
  ensure(
    error === reason || code === 'ABORTED',
    `${what}: rejected with "${messageOf(error)}" (${code ?? 'no code'}), neither with ABORTED nor with the reason of its signal`,
  )
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const newThings = (before: readonly PlatformThing[], now: readonly PlatformThing[]): readonly PlatformThing[] => {
  const known = new Set(before.map(({ id }) => id))
  return now.filter(({ id }) => !known.has(id))
}

/** The mark of everything that is there and was not there before must be this one. */
export function onlyMarked(before: readonly PlatformThing[], now: readonly PlatformThing[], mark: Mark, when: string): void {
  for (const thing of newThings(before, now))
    assert.deepEqual(thing.mark, mark, `"${thing.id}", made ${when}, does not carry the run's mark`)
}

/** Fails, with names, unless these are the same things in the same state. */
export function sameThings(now: readonly PlatformThing[], before: readonly PlatformThing[], when: string): void {
  const state = new Map(now.map((thing) => [thing.id, JSON.stringify(thing.state)]))
  const changed = before.filter(({ id, state: was }) => state.has(id) && state.get(id) !== JSON.stringify(was))
  const named = (title: string, things: readonly PlatformThing[]) =>
    things.length === 0 ? [] : [`${title}: ${things.map(({ id }) => `"${id}"`).join(', ')}`]
  const differences = [...named('left', newThings(before, now)), ...named('gone', newThings(now, before)), ...named('changed', changed)]
  assert.deepEqual(sorted(now), sorted(before), `the platform is not as it was ${when}; ${differences.join('; ')}`)
}

const sorted = (things: readonly PlatformThing[]): readonly PlatformThing[] =>
  [...things].sort((one, other) => (one.id < other.id ? -1 : 1))

/** What of a backup must be equal in a copy, and which of its items hold that. */
export interface Content {
  readonly parts: readonly string[]
  readonly names: ReadonlySet<string>
}

/**
 * Without names: those of items may name the machine. Descriptions and settings beside disks and archives may do so too, but where `bytes` is all
 * there is, it is the content.
 */
export function contentOf(items: readonly CollectedItem[], custom: ProviderContractOptions['contentOf']): Content {
  const provable = items.some((item) => item.type === 'disk' || item.format !== 'bytes')
  const plain = (item: CollectedItem): Json | undefined => {
    if (item.type === 'disk') return `${item.disk.key} ${sha256(item.bytes)}`
    return item.format === 'bytes' && provable ? undefined : `${item.format} ${sha256(item.bytes)}`
  }
  const parts: string[] = []
  const names = new Set<string>()
  for (const item of items) {
    const part = (custom ?? plain)(item)
    if (part === undefined) continue
    parts.push(JSON.stringify(part))
    names.add(item.type === 'disk' ? item.disk.key : item.name)
  }
  ensure(parts.length > 0, 'no item of the backup is content: nothing would be compared')
  return { parts: parts.sort(), names }
}
