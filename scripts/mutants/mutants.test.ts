import { expect, test } from 'vitest'
import { mutants } from './rules.ts'
import { lineOf, runMutants } from './run-mutants.ts'
import { copySources } from './source-copy.ts'

const long = process.env.HOLDFAST_LONG === '1'
const count = long ? 25_000 : 200
const chosen = long ? mutants : mutants.filter(({ quick, named }) => quick ?? named)
const minuteMs = 60_000

const orderingRules = [
  ...[
    'fence',
    'decide',
    'adopt',
    'probe',
    'unique-names',
    'sync-data',
    'sync-manifest',
    'adopt-syncs',
    'one-way-out',
    'reads',
    'release-last',
  ],
  ...[
    'condemn-cas',
    'condemn-first',
    'children-first',
    'whole-list',
    'manifest-first',
    'sync-deletes',
    'dead-number',
    'owner',
    'targets-stay',
  ],
  ...['rescan-probes', 'rescan-cas', 'pin-in-repository', 'intent-first', 're-undo', 'tag-sweep', 'undo-checks-tag', 'platform-name'],
  ...['store-durable', 'claim-cas'],
  ...['merge-new-number', 'parents-first-copy', 'parent-by-id', 'named-stays', 'oldest-first'],
]

test('each ordering rule has a mutant', () => {
  expect(mutants.map(({ rule }) => rule).sort()).toEqual([...orderingRules].sort())
})

test('the text of every mutant is in the source exactly once', () => {
  const copy = copySources()
  try {
    for (const { edits } of mutants) copy.apply(edits)()
  } finally {
    copy.remove()
  }
})

test(`without one of ${chosen.length} ordering rules a schedule notices`, { timeout: (long ? 600 : 10) * minuteMs }, async () => {
  const results = await runMutants({ chosen, count, first: 1, jobs: 2, report: () => undefined })
  console.log(results.map(lineOf).join('\n'))
  expect(results.filter(({ by }) => by === undefined).map(lineOf)).toEqual([])
})
