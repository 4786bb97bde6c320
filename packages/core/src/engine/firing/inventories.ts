import type { CallOptions } from '../../spec/blocks.ts'
import type { EngineParts } from '../parts.ts'
import { type Inventory, readInventory } from './select-workloads.ts'

/** A provider that cannot be asked is asked again after this. What it has shown is not believed for longer either. */
const askAgainMs = 30_000

/** What a provider has shown, and when it was done with it, on the monotonic clock. */
export interface Answer {
  readonly inventory: Inventory
  readonly ended: number
}

/** The inventories of providers, asked for apart from everything else: one that hangs must hold up nobody who does not wait for it. */
export interface Inventories {
  /**
   * What the provider has shown to a question that was put at `since` or later, monotonic: a failure until it is asked again with another end, anything
   * else for half a minute. Undefined: not yet; it is being asked.
   */
  ask(provider: string, since: number): Answer | undefined
  /** Questions that are under way. They never reject. */
  underWay(): readonly Promise<void>[]
  /** Nobody waits any more: what was shown is old by the next due time. */
  forget(): void
}

/** `answered`: called when there is something new to know. */
export function createInventories(parts: EngineParts, options: CallOptions, answered: () => void): Inventories {
  const answers = new Map<string, Answer & { readonly asked: number }>()
  const questions = new Map<string, Promise<void>>()

  async function question(provider: string): Promise<void> {
    const asked = parts.clock.monotonic()
    const inventory = await readInventory(parts, provider, options)
    questions.delete(provider)
    if (options.signal.aborted) return
    answers.set(provider, { inventory, asked, ended: parts.clock.monotonic() })
    answered()
  }

  return {
    ask(provider, since) {
      const known = answers.get(provider)
      const answer = known && known.asked >= since ? known : undefined
      const old = !answer || parts.clock.monotonic() - answer.ended >= askAgainMs
      if (old && !questions.has(provider)) questions.set(provider, question(provider))
      return old && answer && !('error' in answer.inventory) ? undefined : answer
    },
    underWay: () => [...questions.values()],
    forget: () => answers.clear(),
  }
}
