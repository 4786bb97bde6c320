import type { Provider } from '@holdfast/core/spec'
import { type ContractResult, collectingRunner } from '../collecting-runner.ts'
import { scriptedProviderUnderTest } from '../scripted-provider/provider-fixtures.ts'
import type { ProviderShape } from '../scripted-provider/scripted-provider.ts'
import { providerContract } from './provider-contract.ts'
import type { PlatformThing, ProviderContractOptions } from './provider-under-test.ts'

export const secret = 'canary-password'
export type UnderTest = Awaited<ReturnType<typeof scriptedProviderUnderTest>>

/** One promise that a provider breaks which keeps all others, for tests of the suite itself. */
export interface Mistake {
  readonly shape: ProviderShape
  /** How the name of a test begins that must fail. */
  readonly caughtBy: string
  /** What the failure of that test must say. */
  readonly says?: RegExp
  readonly breakIt: (sound: Provider, fixture: UnderTest) => Partial<Provider>
  /** What the owner of the platform shows instead of everything. */
  readonly shows?: (all: readonly PlatformThing[]) => readonly PlatformThing[]
  readonly options?: Partial<ProviderContractOptions>
}

/** The tests that fail when a scripted provider is changed so. */
export async function failuresOn({
  shape,
  breakIt,
  shows = (all) => all,
  options = {},
}: Omit<Mistake, 'caughtBy'>): Promise<readonly ContractResult[]> {
  const { runner, results } = collectingRunner()
  providerContract({
    ...runner,
    replaces: shape.startsWith('tar'),
    secrets: [secret],
    soonMs: 100,
    ...options,
    async create() {
      const fixture = await scriptedProviderUnderTest(shape)
      const spoil = (sound: Provider): Provider => ({ ...sound, ...breakIt(sound, fixture) })
      return {
        ...fixture,
        provider: spoil(fixture.provider),
        another: async () => spoil(await fixture.another()),
        things: async () => shows(await fixture.things()),
      }
    },
  })
  return (await results()).filter(({ error }) => error !== undefined)
}

/** Fails with what did fail, unless the test failed that should have. */
export async function mustBeCaught(mistake: Mistake): Promise<void> {
  const failures = await failuresOn(mistake)
  const names = failures.map(({ name }) => name).join('; ') || 'nothing'
  const caught = failures.filter(({ name }) => name.startsWith(mistake.caughtBy))
  if (caught.length === 0) throw new Error(`not caught by "${mistake.caughtBy}" but by: ${names}`)
  const { says } = mistake
  const said = caught.map(({ error }) => (error instanceof Error ? error.message : String(error)))
  if (says && !said.some((text) => says.test(text))) throw new Error(`caught, but it says: ${said.join('; ')}`)
}
