import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { seededRandom } from '@holdfast/testkit'
import { type CrashCase, type Facts, openWorld, pathsOf } from './world.ts'

/** A world with points of a workload, the oldest one pinned, and a workload that has changed since. */
export async function prepareWorld(
  folder: string,
  { shape, points: wanted = 2, oneDiskFull, offsite, snapshots }: CrashCase,
): Promise<Facts> {
  await mkdir(folder)
  if (offsite) await mkdir(pathsOf(folder).offsite)
  const random = seededRandom(3)
  const { engine, platform } = await openWorld(folder, shape, 'first')
  const id = shape === 'tarVolume' ? platform.addVolume('data') : platform.addMachine('web', 2)
  const change = () => {
    const before = platform.digest(id)
    while (platform.digest(id) === before) platform.mutate(random)
  }
  await engine.start()
  const workload = { provider: 'p', id }
  await engine.putPlan('nightly', { kind: 'backup', repository: 'main', workloads: [workload] })
  const points: { id: string; digest: string }[] = []
  for (let count = 0; count < wanted; count++) {
    if (oneDiskFull && count === wanted - 1) platform.loseBitmaps(id)
    const digest = platform.digest(id) ?? ''
    const [outcome] = await engine.runPlan('nightly')
    points.push({ id: outcome?.point ?? '', digest })
    if (count === 0) await engine.pin({ repository: 'main', point: points[0]?.id ?? '' }, 'kept for ever')
    change()
  }
  if (snapshots) {
    platform.addSnapshot(id, 'foreign')
    await engine.putPlan('hourly', { kind: 'snapshot', workloads: [workload], retention: { last: 2 } })
    for (const name of ['oldest', 'older']) await engine.run({ key: name, operation: 'snapshot', plan: 'hourly', workload, name })
  }
  await engine.idle()
  await engine.stop()
  const { owner } = JSON.parse(await readFile(`${pathsOf(folder).repository}/repository.json`, 'utf8')) as { owner: string }
  const facts: Facts = { workload, points, digest: platform.digest(id) ?? '', owner }
  await writeFile(pathsOf(folder).facts, JSON.stringify(facts))
  return facts
}
