import { crashChildHook } from '@holdfast/testkit'
import { crashCases, factsOf, openWorld, runKey } from './world.ts'

/** What the child does: one engine, one operation, an orderly end. */
export async function perform(folder: string, name: string): Promise<void> {
  const crashCase = crashCases.find((each) => each.name === name)
  if (!crashCase) throw new Error(`there is no case "${name}"`)
  const facts = await factsOf(folder)
  const { engine } = await openWorld(folder, crashCase.shape, 'child', crashChildHook())
  await engine.start()
  await engine.run({ ...crashCase.order(facts), key: runKey } as Parameters<typeof engine.run>[0])
  if (crashCase.followed) await engine.idle()
  await engine.stop()
}
