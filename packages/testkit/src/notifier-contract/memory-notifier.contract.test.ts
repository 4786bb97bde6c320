import { describe, it } from 'vitest'
import { memoryNotifier } from '../memory-notifier.ts'
import { notifierContract } from './notifier-contract.ts'

notifierContract({
  describe,
  it,
  async create() {
    const notifier = memoryNotifier()
    return { notifier, received: async () => notifier.received.map((each) => JSON.stringify(each)), refuse: () => notifier.refuse() }
  },
})
