import { docker } from '@holdfast/provider-docker'
import { type CallHook, crashChildHook } from '@holdfast/testkit'
import type { Engine, RunOrder } from '../../src/index.ts'
import { openEngine, runKey } from './world.ts'

/** A world whose platform is a real Docker engine. `system` is another one in each copy: they share the engine, and none may touch what another made. */
export interface DockerWorld {
  readonly folder: string
  readonly socketPath: string
  readonly system: string
  readonly volume: string
}
export type DockerOperation = 'backup' | 'restore'

export const workloadOf = ({ volume }: DockerWorld) => ({ provider: 'p', id: volume })
export const restoredName = ({ system }: DockerWorld): string => `${system}-restored`

export function openDockerEngine(world: DockerWorld, node: string, hook?: CallHook): Promise<Engine> {
  return openEngine(world.folder, node, docker({ socketPath: world.socketPath }), hook, world)
}

/** What the child does. */
export async function performOnDocker(world: DockerWorld, operation: DockerOperation): Promise<void> {
  const engine = await openDockerEngine(world, 'child', crashChildHook())
  await engine.start()
  const target = operation === 'restore' ? { name: restoredName(world) } : {}
  const order = { key: runKey, operation, repository: 'main', workload: workloadOf(world), ...target } satisfies RunOrder
  await engine.run(order)
  await engine.stop()
}
