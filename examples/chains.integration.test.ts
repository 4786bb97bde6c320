// The plan of docs/guide/chains.md, put and run as it is printed there.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, localRepository, type PlanInput } from '@holdfast/core'
import { sqlite } from '@holdfast/store-sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { diskFiles } from './02-disk-files/disk-files-provider.ts'

let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-chains-'))
  await mkdir(join(root, 'disks'))
  await writeFile(join(root, 'disks', 'shop.img'), Buffer.alloc(1 << 20, 'a shop'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

// #region plan
const nightly: PlanInput = {
  kind: 'backup',
  repository: 'main',
  workloads: [{ provider: 'disks', id: 'shop' }],
  schedule: { type: 'simple', every: 'day', at: '02:30', zone: 'Europe/Berlin' },
  chain: { maxIncrementals: 30, fullOn: { weekday: 'sunday' } },
  retention: { daily: 14, monthly: 12, zone: 'Europe/Berlin', chains: 'merge' },
}
// #endregion plan

test('the plan of the guide is taken: a full, then increments, and Sundays are those of its schedule', async () => {
  const engine = await createEngine({
    name: 'shop-backup',
    store: sqlite({ file: join(root, 'catalog.db') }),
    repositories: { main: localRepository({ folder: join(root, 'backups') }) },
    providers: { disks: diskFiles({ folder: join(root, 'disks') }) },
    plans: { nightly },
  })
  try {
    await engine.start()
    const [first] = await engine.runPlan('nightly')
    const [second] = await engine.runPlan('nightly')
    expect(first?.items).toMatchObject([{ form: 'full', reason: 'first backup' }])
    // It may be that Sunday has begun in between.
    const sunday = 'and one is made every Sunday (Europe/Berlin)'
    if (second?.items[0]?.form === 'full') expect(second.items[0].reason).toContain(sunday)
    else expect(second?.items).toMatchObject([{ form: 'incremental' }])
    expect((await engine.plans()).find(({ id }) => id === 'nightly')?.plan).toMatchObject({
      chain: { maxIncrementals: 30, fullOn: { weekday: 'sunday', zone: 'Europe/Berlin' } },
    })
  } finally {
    await engine.stop()
  }
})
