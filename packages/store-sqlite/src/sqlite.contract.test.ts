import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storeContract } from '@holdfast/testkit'
import { describe, it } from 'vitest'
import { testClock } from '../test/test-clock.ts'
import { sqlite } from './sqlite.ts'

storeContract({
  describe,
  it,
  create: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-store-'))
    const clock = testClock()
    const make = () => sqlite({ file: join(folder, 'catalog.db'), hostName: 'test-host', clock })
    const stores = [make()]
    const [store] = stores as [ReturnType<typeof make>]
    return {
      store,
      advance: clock.advance,
      setBack: (milliseconds) => clock.advance(-milliseconds),
      another: async () => make(),
      reopen: async () => {
        const later = make()
        stores.push(later)
        return later
      },
      dispose: async () => {
        for (const one of stores) await one[Symbol.asyncDispose]()
        await rm(folder, { recursive: true })
      },
    }
  },
})
