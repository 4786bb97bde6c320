import { expect, it } from 'vitest'
import { chainWorld } from '../../../test/chain-world.ts'

it('of a workload that nobody has backed up is no good news: it is an error, and names the one that was meant', async () => {
  const { engine, workload } = await chainWorld(1)
  const misspelt = { ...workload, id: `${workload.id}x` }
  await expect(engine.verify({ repository: 'main', workload: misspelt })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: `Nothing was verified: the catalog knows no point of p/${misspelt.id} in repository "main".`,
    remedy: expect.stringContaining(`Did you mean p/${workload.id}?`),
  })
})

it('of a repository without a point ends well, with a warning that nothing was verified', async () => {
  const { engine } = await chainWorld(0)
  const warnings: string[] = []
  engine.on('warning', ({ code }) => warnings.push(code))
  expect(await engine.verify({ repository: 'main' })).toMatchObject({ points: 0, findings: [] })
  expect(warnings).toEqual(['NOTHING_VERIFIED'])
})
