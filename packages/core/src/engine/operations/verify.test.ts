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

it('that follows damage passes over a point that has been deleted since; by hand it is an error', async () => {
  const { engine, ids } = await chainWorld(2)
  const gone = '20200101T000000Z-0123456789abcdef'
  const order = { operation: 'verify', repository: 'main', points: [gone, ids[1] ?? ''] } as const
  await expect(engine.run({ ...order, key: 'by hand' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(await engine.run({ ...order, key: 'after damage', ifThere: true })).toMatchObject({ points: 2, findings: [] })
  expect(await engine.run({ ...order, points: [gone], key: 'all gone', ifThere: true })).toMatchObject({ points: 0, findings: [] })
})

it('names the points that read whole and are quarantined still, with the call that lifts it, and no point that builds on damage', async () => {
  const { engine, ids, spoil } = await chainWorld(3)
  const [first, second, third] = ids as [string, string, string]
  const aside = async () =>
    (await engine.points({ repository: 'main' })).filter(({ flags }) => flags.quarantine !== undefined).map(({ id }) => id)
  const told: string[] = []
  engine.on('warning', ({ code, message }) => void (code === 'STILL_QUARANTINED' && told.push(message)))
  await spoil(second)
  await engine.verify({ repository: 'main' })
  expect(await aside()).toEqual([second])
  await spoil(second)
  await spoil(third)
  await engine.verify({ repository: 'main' })
  expect(told).toEqual([
    `Read whole, but quarantined since an earlier verification of repository "main": ${second}. If they were mended: engine.liftQuarantine({ repository: 'main', point }) for each.`,
  ])
  await spoil(first)
  await engine.verify({ repository: 'main', mode: 'quick' })
  await engine.verify({ repository: 'main' })
  expect(told).toHaveLength(1)
  await spoil(first)
  await spoil(third)
  expect((await engine.verify({ repository: 'main' })).findings).toEqual([])
  expect(told[1]).toContain(`: ${first}, ${second}, ${third}.`)
  for (const point of ids) await engine.liftQuarantine({ repository: 'main', point })
  await engine.verify({ repository: 'main' })
  expect(told).toHaveLength(2)
  expect(await aside()).toEqual([])
})
