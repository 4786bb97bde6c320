import assert from 'node:assert/strict'
import type { Json } from '@holdfast/core/spec'
import { jsonCopy } from '../memory-run-context.ts'
import { hasCode, type ProviderFixture, type ProviderTests } from './contract-fixture.ts'

const aborted = AbortSignal.abort(new Error('aborted by the contract'))

async function listed({ provider, signal }: ProviderFixture, id?: string): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const workload of provider.workloads({ signal, ...(id !== undefined && { id }) })) ids.push(jsonCopy(workload).id)
  return ids
}

export const inventoryContract: ProviderTests = {
  'lists each workload once, the same twice, and reads only': async (fixture) => {
    const before = await fixture.things()
    const ids = await listed(fixture)
    assert.ok(ids.includes(fixture.workload), `workload "${fixture.workload}" is not among ${ids.join(', ')}`)
    assert.equal(new Set(ids).size, ids.length, 'an id is listed twice')
    assert.deepEqual([...(await listed(fixture))].sort(), [...ids].sort())
    await fixture.sameAs(before, 'after the inventory')
  },
  'gives one workload by its id, and nothing for an id that is not there': async (fixture) => {
    assert.deepEqual(await listed(fixture, fixture.workload), [fixture.workload])
    assert.deepEqual(await listed(fixture, 'contract-nobody'), [])
  },
  'check reads only and says each finding in words': async (fixture) => {
    const before = await fixture.things()
    const checks = jsonCopy(await fixture.provider.check({ signal: fixture.signal }))
    assert.ok(checks.length > 0, 'check has no finding')
    for (const { name, status, message } of checks) {
      assert.ok(['ok', 'warning', 'error'].includes(status), `status "${status}" of check "${name}"`)
      assert.ok(name.length > 0 && message.length > 0, 'a check without name or message')
    }
    await fixture.sameAs(before, 'after check')
  },
  'check and inventory reject when the signal is aborted': async (fixture) => {
    await fixture.rejection(fixture.provider.check({ signal: aborted }), 'check with an aborted signal')
    const list = async () => {
      for await (const _ of fixture.provider.workloads({ signal: aborted })) assert.fail('a workload after the abort')
    }
    await fixture.rejection(list(), 'inventory with an aborted signal')
  },
  'declares version and kind': async ({ provider }) => {
    assert.equal(provider.specVersion, 1)
    assert.match(provider.kind, /^[A-Za-z0-9][A-Za-z0-9-]*$/)
  },
  'dispose may be called twice': async ({ another }) => {
    const other = await another()
    await other[Symbol.asyncDispose]()
    await other[Symbol.asyncDispose]()
  },
}

export const optionsContract: ProviderTests = {
  'misspelt options are refused with their name, right ones come back as JSON': async ({ provider, options }) => {
    const { parseOptions } = provider
    if (!parseOptions) return assert.equal(parseOptions, undefined) // any options are accepted
    for (const [use, right] of [
      ['backup', options.backup],
      ['restore', options.restore],
    ] as const) {
      const parsed: Json = jsonCopy(parseOptions(use, right))
      assert.deepEqual(parseOptions(use, parsed), parsed, `${use}: parsing twice is not parsing once`)
      const wrong = { ...(typeof right === 'object' && !Array.isArray(right) ? right : {}), contractMisspelt: true }
      const refused = await Promise.resolve()
        .then(() => parseOptions(use, wrong))
        .then(
          () => undefined,
          (error: unknown) => error,
        )
      assert.ok(refused instanceof Error, `${use}: a misspelt option is accepted`)
      hasCode(refused, 'INVALID_OPTIONS', use)
      assert.match(refused.message, /contractMisspelt/, 'the message does not name the mistake')
    }
  },
}
