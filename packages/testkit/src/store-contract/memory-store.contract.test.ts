import { describe, it } from 'vitest'
import { fakeClock } from '../fake-clock.ts'
import { countingIds } from '../fake-ids.ts'
import { memoryStore } from '../memory-store/memory-store.ts'
import { storeContract } from './store-contract.ts'

storeContract({
  describe,
  it,
  create: async () => {
    const clock = fakeClock()
    const store = memoryStore({ clock, ids: countingIds() })
    const setBack = async (milliseconds: number) => clock.jump(-milliseconds)
    return { store, advance: clock.advance, setBack, another: async () => store, reopen: async () => store, dispose: async () => {} }
  },
})
