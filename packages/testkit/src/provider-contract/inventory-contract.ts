import assert from 'node:assert/strict'
import type { Json } from '@holdfast/core/spec'
import { jsonCopy } from '../memory-run-context.ts'
import { ensure, hasCode } from './contract-checks.ts'
import { outcomeOf, type ProviderFixture, type ProviderTests } from './contract-fixture.ts'

const aborted = AbortSignal.abort(new Error('aborted by the contract'))

async function listed({ provider, signal, see }: ProviderFixture, id?: string): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const workload of provider.workloads({ signal, ...(id !== undefined && { id }) })) {
    see(`workload "${workload.id}"`, workload)
    ids.push(jsonCopy(workload).id)
  }
  return ids
}

async function onlyListed(fixture: ProviderFixture, id: string, expected: readonly string[]): Promise<void> {
  const ids = await listed(fixture, id)
  const right = ids.length === expected.length && ids.every((each) => expected.includes(each))
  ensure(right, `workloads({ id: '${id}' }) gave ${ids.join(', ') || 'nothing'}, not ${expected.join() || 'nothing'}`)
}

export const inventoryContract: ProviderTests = {
  'lists each workload once, the same twice, and reads only': async (fixture) => {
    const before = await fixture.things()
    const ids = await listed(fixture)
    ensure(ids.includes(fixture.workload), `workload "${fixture.workload}" is not among ${ids.join(', ')}`)
    assert.equal(new Set(ids).size, ids.length, 'an id is listed twice')
    assert.deepEqual([...(await listed(fixture))].sort(), [...ids].sort())
    await fixture.sameAs(before, 'after the inventory')
  },
  'gives one workload by its id, and nothing for an id that is not there': async (fixture) => {
    await onlyListed(fixture, fixture.workload, [fixture.workload])
    await onlyListed(fixture, 'contract-nobody', [])
  },
  'check reads only and says each finding in words': async (fixture) => {
    const before = await fixture.things()
    const checks = jsonCopy(await fixture.provider.check({ signal: fixture.signal }))
    ensure(checks.length > 0, 'check has no finding')
    for (const { name, status, message } of checks) {
      fixture.see(`check "${name}"`, message)
      ensure(['ok', 'warning', 'error'].includes(status), `status "${status}" of check "${name}"`)
      ensure(name.length > 0 && message.length > 0, 'a check without name or message')
    }
    await fixture.sameAs(before, 'after check')
  },
  'check and inventory reject when the signal is aborted': async (fixture) => {
    await fixture.abortion(fixture.provider.check({ signal: aborted }), aborted, 'check with an aborted signal')
    const list = async () => {
      for await (const _ of fixture.provider.workloads({ signal: aborted })) return
    }
    await fixture.abortion(list(), aborted, 'the inventory with an aborted signal')
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
  'misspelt options are refused with their name, right ones come back as JSON': async ({ provider, written, parsed }) => {
    const { parseOptions } = provider
    if (!parseOptions) return assert.equal(parseOptions, undefined) // any options are accepted
    for (const use of ['backup', 'restore', ...(provider.probe ? (['probe'] as const) : [])] as const) {
      const right: Json = parsed(use)
      assert.deepEqual(parseOptions(use, right), right, `${use}: parsing twice is not parsing once`)
      const given = written[use]
      const wrong = { ...(typeof given === 'object' && !Array.isArray(given) ? given : {}), contractMisspelt: true }
      const refused = await outcomeOf(Promise.resolve().then(() => parseOptions(use, wrong)))
      ensure(refused instanceof Error, `${use}: a misspelt option is accepted`)
      hasCode(refused, 'INVALID_OPTIONS', use)
      assert.match(refused.message, /contractMisspelt/, `${use}: the message does not name the mistake`)
    }
  },
}
