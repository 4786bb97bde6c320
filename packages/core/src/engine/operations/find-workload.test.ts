import { expect, test } from 'vitest'
import { HoldfastError } from '../../spec/errors.ts'
import type { Provider } from '../../spec/provider.ts'
import type { EngineParts } from '../parts.ts'
import { findWorkload } from './find-workload.ts'

const options = { signal: new AbortController().signal }
const machines = [
  { id: '4203a1d0-01', name: 'web' },
  { id: '4203a1d0-02', name: 'mail' },
]

/** Parts with one provider; its list of everything may fail. */
function partsOf(whole: () => readonly (typeof machines)[number][] = () => machines): EngineParts {
  const provider = {
    async *workloads({ id }: { readonly id?: string }) {
      yield* id === undefined ? whole() : machines.filter((one) => one.id === id)
    },
  } as unknown as Provider
  return { providers: new Map([['p', provider]]) } as unknown as EngineParts
}

const told = (id: string, parts = partsOf()) =>
  findWorkload(parts, { provider: 'p', id }, options).then(
    ({ name }) => name,
    ({ code, message }: HoldfastError) => `${code}: ${message}`,
  )

test('a workload is found by its id', async () => {
  expect(await told('4203a1d0-02')).toBe('mail')
})

test.each([
  ['web', 'NOT_FOUND: Provider "p" has no workload "web". That is the name of "4203a1d0-01".'],
  ['wbe', 'NOT_FOUND: Provider "p" has no workload "wbe". There is "web": "4203a1d0-01".'],
  ['vm-3', 'NOT_FOUND: Provider "p" has no workload "vm-3".'],
])('a name that is given for an id is told with the id: %s', async (id, message) => {
  expect(await told(id)).toBe(message)
})

test('it is not found, whether or not the platform can be listed', async () => {
  const failing = partsOf(() => {
    throw new HoldfastError('UNREACHABLE', 'It is away.')
  })
  expect(await told('web', failing)).toBe('NOT_FOUND: Provider "p" has no workload "web".')
})
