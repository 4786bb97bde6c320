// The code and the output of docs/guide/every-night.md: forty nights on a clock that is moved by hand, and the program itself.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BackupPlanInput, consoleNotifier, createEngine, type Engine, formatBytes } from '@holdfast/core'
import {
  countingIds,
  type FakeClock,
  fakeClock,
  memoryPlatform,
  memoryRepository,
  memoryStore,
  scriptedProvider,
  seededRandom,
} from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { plans } from './plans.ts'

const hour = 3_600_000
const printed: string[] = []
const print = (text: string) => void printed.push(...text.trimEnd().split('\n'))

/** The page shows what these tests print; it must stay what they print. */
async function expectShown(name: string, lines: readonly string[]): Promise<void> {
  const page = await readFile(fileURLToPath(new URL('../../docs/guide/every-night.md', import.meta.url)), 'utf8')
  const block = new RegExp(`<!-- output: ${name} -->\n\`\`\`\n([\\s\\S]*?)\`\`\``).exec(page)?.[1]
  expect(lines).toEqual((block ?? '').trimEnd().split('\n'))
}

const { nightly } = plans
if (nightly?.kind !== 'backup') throw new Error('the plan is gone')
// The threads that compress know nothing of a clock that is moved by hand.
const uncompressed: BackupPlanInput = { ...nightly, compression: 'none' }

/** An engine with the plans of the page, on a platform in memory. Midnight UTC of 1 October 2026. */
function world() {
  const clock = fakeClock({ start: Date.UTC(2026, 9, 1) })
  const random = seededRandom(11)
  const platform = memoryPlatform({ random })
  platform.addVolume('shop-db')
  const store = memoryStore({ clock, ids: countingIds('s') })
  const repository = memoryRepository({ clock })
  const make = (changed: Partial<BackupPlanInput> = {}) =>
    createEngine({
      name: 'shop-backup',
      store,
      repositories: { main: repository },
      providers: { docker: scriptedProvider(platform, { shape: 'tarVolume', name: 'docker' }) },
      notifiers: { log: consoleNotifier({ write: print }) },
      plans: { ...plans, nightly: { ...uncompressed, ...changed } },
      clock,
      ids: countingIds('e'),
    })
  return { clock, make }
}

/** So many days, at half past each hour, as a timer of one's own would. */
async function nights(engine: Engine, clock: FakeClock, count: number): Promise<void> {
  for (const end = clock.now() + count * 24 * hour; clock.now() + hour <= end; ) {
    await clock.advance(hour - ((clock.now() + hour / 2) % hour))
    await clock.runUntil(engine.runDue())
  }
}

test('previewRuns shows the next day, and the night tells what it did', async () => {
  const { clock, make } = world()
  const engine = await make()
  await clock.runUntil(engine.runDue())
  const until = '2026-10-02T00:00:00Z'
  printed.length = 0
  // #region preview-runs
  for (const { plan, due, runs, notes } of await engine.previewRuns({ until })) {
    print([due, plan, ...runs, ...notes.map((note) => `(${note})`)].join('  '))
  }
  // #endregion preview-runs
  await expectShown('preview-runs', printed)
  printed.length = 0
  await nights(engine, clock, 1)
  const about = (line: string) => line.includes('(plan "nightly")') || line.includes('(plan "clean-up")')
  await expectShown('night', printed.filter(about))
  expect(printed.filter((line) => !line.includes(' info '))).toEqual([])
  printed.length = 0
  const now = () => clock.now()
  // #region morning
  const [newest] = await engine.points({ repository: 'main', workload: { provider: 'docker', id: 'shop-db' } })
  if (!newest || now() - Date.parse(newest.createdAt) > 26 * 3_600_000) print('shop-db has no point of the last 26 hours')
  else print(`the newest point is of ${newest.createdAt}, ${formatBytes(newest.summary.bytes.stored)}`)
  // #endregion morning
  expect(printed).toEqual([expect.stringMatching(/^the newest point is of 2026-10-01T00:30:00/)])
  await clock.runUntil(engine.stop())
})

test('previewPrune tells what a shorter retention would delete, before it does', async () => {
  const { clock, make } = world()
  const first = await make()
  await clock.runUntil(first.runDue())
  await nights(first, clock, 40)
  const before = await first.points({ repository: 'main' })
  // The file was changed and the program started again.
  const engine = await make({ retention: { last: 3, daily: 3, weekly: 2, zone: 'Europe/Berlin' } })
  await clock.runUntil(engine.runDue())
  printed.length = 0
  // #region preview-prune
  const { text, warnings } = await engine.previewPrune({ repository: 'main' })
  print(text)
  for (const warning of warnings) print(warning)
  // #endregion preview-prune
  await expectShown('preview-prune', printed)
  expect(await engine.points({ repository: 'main' })).toEqual(before)
  await nights(engine, clock, 1)
  expect(await engine.points({ repository: 'main' })).toHaveLength(4)
  await clock.runUntil(engine.stop())
})

test('the host was off for four nights: one run is made up, and the others are told of', async () => {
  const { clock, make } = world()
  const engine = await make()
  await clock.runUntil(engine.runDue())
  await clock.advance(4 * 24 * hour)
  printed.length = 0
  await clock.runUntil(engine.runDue())
  await expectShown(
    'missed',
    printed.filter((line) => line.includes('nightly')),
  )
  expect(await engine.points({ repository: 'main' })).toHaveLength(1)
  await clock.runUntil(engine.stop())
})

test('the program starts without a Docker engine, says what is next, and ends when it is asked to', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-every-night-'))
  try {
    const script = fileURLToPath(new URL('run-plans.ts', import.meta.url))
    const child = spawn(process.execPath, ['--conditions=@holdfast/source', script, folder, join(folder, 'no.sock')])
    let output = ''
    let asked = false
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (asked || !/started; next is .* at \S+\n/.test(output)) return
        // Once: a second signal ends a program that is about to end.
        asked = child.kill('SIGTERM')
      })
    const [code] = await once(child, 'close')
    expect(output).toMatch(/started; next is [a-z-]+ at 20\d\d-/)
    expect(code, output).toBe(0)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
