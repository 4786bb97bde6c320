import { expect, it } from 'vitest'
import { chainWorld } from '../../../test/chain-world.ts'

it('of the latest point says why there is none: no point at all, or none that is good', async () => {
  const { engine, ids, workload, spoil } = await chainWorld(2)
  await expect(engine.restore({ ...workload, id: 'misspelt' }, { repository: 'main', name: 'again' })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: 'There is no restore point of p/misspelt in repository "main".',
  })
  await spoil(ids[0])
  await engine.verify({ repository: 'main' })
  await expect(engine.restore(workload, { repository: 'main', name: 'again' })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringMatching(/^None of the 2 restore points of p\/.* is good: [12] quarantined/),
    remedy: expect.stringContaining(`the newest is ${ids[1]}`),
  })
})
