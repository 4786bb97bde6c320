import { type MemoryPlatform, memoryPlatform } from '../memory-platform/memory-platform.ts'
import type { ProviderUnderTest } from '../provider-contract/provider-under-test.ts'
import { seededRandom } from '../random.ts'
import { type ProviderShape, scriptedProvider } from './scripted-provider.ts'

/** A platform with one workload of this shape, and something beside it that must stay as it is. */
export function platformWithWorkload(shape: ProviderShape, seed = 1): { readonly platform: MemoryPlatform; readonly workload: string } {
  const platform = memoryPlatform({ random: seededRandom(seed) })
  platform.addVolume('bystander')
  platform.addMachine('bystander-machine')
  if (shape === 'tarVolume') return { platform, workload: platform.addVolume('shop-db') }
  if (shape === 'tarProject') return { platform, workload: platform.addProject('shop') }
  return { platform, workload: platform.addMachine('web', shape === 'ovirtLike' ? 3 : shape === 'rawDisk' ? 1 : 2) }
}

/** A scripted provider as the provider suite takes it. */
export async function scriptedProviderUnderTest(shape: ProviderShape): Promise<ProviderUnderTest & { readonly platform: MemoryPlatform }> {
  const { platform, workload } = platformWithWorkload(shape)
  return {
    platform,
    provider: scriptedProvider(platform, { shape }),
    another: async () => scriptedProvider(platform, { shape }),
    workload,
    things: async () => platform.things(),
  }
}
