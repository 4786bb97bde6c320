// Rules of the store, the platform and time.
import type { Mutant } from './mutant.ts'

const engine = 'packages/core/src/engine'
const testkit = 'packages/testkit/src'
const schedules = 'packages/core/test/schedules'

export const platformRules: readonly Mutant[] = [
  {
    rule: 'fence',
    edits: [
      {
        file: `${testkit}/memory-store/held-run.ts`,
        find: `  if (run?.state === 'running' && run.attempt === lease.attempt) return run\n`,
        replace: `  if (run) return run\n`,
      },
    ],
  },
  {
    rule: 'store-durable',
    edits: [
      {
        file: `${schedules}/simulate.ts`,
        find: `async function step(game: Game): Promise<void> {\n`,
        replace: `const older: ReturnType<World['store']['dump']>[] = []
async function step(game: Game): Promise<void> {
  if (game.world.traffic.step === 1) older.length = 0
  older.push(game.world.store.dump())
  if (older.length > 12) older.shift()
`,
      },
      {
        file: `${schedules}/simulate.ts`,
        find: `    repository.powerLoss()\n`,
        replace: `    repository.powerLoss()\n    const old = older[0]\n    if (old && !world.coverage.has('database lost')) world.store.load(old)\n`,
      },
    ],
  },
  {
    rule: 'pin-in-repository',
    edits: [
      {
        file: `${engine}/points/point-flags.ts`,
        find: `      if (bytes) await storage.put(`,
        replace: `      if (bytes && bytes.length === 0) await storage.put(`,
      },
    ],
  },
  {
    rule: 'intent-first',
    edits: [
      {
        file: `${engine}/runs/intents.ts`,
        find: `      await attempt.changeIntents((intents) => [...intents, intent], { signal })`,
        replace: `      attempt.changeIntents((intents) => [...intents, intent], { signal }).catch(() => undefined)`,
      },
    ],
  },
  {
    rule: 're-undo',
    named: true,
    edits: [
      {
        file: `${engine}/runs/settle.ts`,
        find: `intents.map((each) => (isOpen(each) && undone(each) ? { ...each, until } : each))`,
        replace: `intents.filter((each) => until > 0 && !(isOpen(each) && undone(each)))`,
      },
    ],
  },
  {
    rule: 'tag-sweep',
    edits: [
      {
        file: `${engine}/sweep.ts`,
        find: `=> undoUnknown(parts, name, options))`,
        replace: `=> (options.signal.aborted ? undoUnknown(parts, name, options) : undefined))`,
      },
    ],
  },
  {
    rule: 'undo-checks-tag',
    edits: [
      {
        file: `${testkit}/scripted-provider/machine-restore.ts`,
        find: `  if (before.some((machine) => machine.unfinished && machine.name === name)) await host.removeMachineNamed(name, options)`,
        replace: `  for (const machine of before) await host.removeMachineNamed(machine.name === name ? name : machine.name, options)`,
      },
    ],
  },
  {
    rule: 'platform-name',
    named: true,
    edits: [
      {
        file: `${testkit}/memory-platform/machine-host.ts`,
        find: `    if (holder && holder.id !== id) throw`,
        replace: `    if (holder && holder.id === 'nobody') throw`,
      },
    ],
  },
]

export const timeRules: readonly Mutant[] = [
  {
    rule: 'claim-cas',
    quick: true,
    edits: [
      {
        file: `${testkit}/memory-store/memory-plans.ts`,
        find: `if (current === undefined || current.due === null || current.due !== from.due) return false`,
        replace: `if (current === undefined) return false`,
      },
    ],
  },
]
