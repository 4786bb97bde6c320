import { readdirSync, readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Engine, EngineEvents, EventName, PlanInput } from '@holdfast/core'
import { consoleLogger, consoleNotifier, systemClock } from '@holdfast/core'
import { HoldfastError, type Provider } from '@holdfast/core/spec'
import { docker } from '@holdfast/provider-docker'
import { scriptedProvider } from '@holdfast/testkit'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type ErrorWorld, errorWorld, plan, rejection } from './error-situations.ts'

const canary = 'canary-3f9a1c7e5b2d4860'

beforeEach(() => {
  process.env.HOLDFAST_TEST_PASSWORD = canary
})
afterEach(() => {
  delete process.env.HOLDFAST_TEST_PASSWORD
})

/** A provider that knows the secret and whose platform says it back whenever something fails. */
function loginProvider(world: ErrorWorld, secret: { readonly password: string; failing: boolean }): Provider {
  const inner = scriptedProvider(world.platform, { shape: 'tarVolume', name: 'files' })
  const refused = (what: string) =>
    new HoldfastError('PROVIDER_FAILED', `The platform refused ${what}: the user "backup" could not log in.`, {
      cause: new Error(`HTTP 401 for https://backup:${secret.password}@platform/api (Authorization: Basic ${btoa(secret.password)})`),
      retryable: true,
    })
  return {
    ...inner,
    backup: async (request, sink, run) => {
      const result = await inner.backup(request, sink, run)
      if (secret.failing) throw refused('the backup')
      return result
    },
    restore: async (request, source, run) => {
      if (secret.failing) throw refused('the restore')
      return await inner.restore(request, source, run)
    },
    undo: async (intent, options) => {
      if (secret.failing) throw refused('the clean-up')
      return await inner.undo(intent, options)
    },
  }
}

const eventNames: readonly EventName[] = [
  'run-queued',
  'run-started',
  'run-retried',
  'run-finished',
  'point-committed',
  'point-deleted',
  'point-damaged',
  'undo-failed',
  'warning',
]

/** Everything a person or a program could read of an error, but not its cause: that is the platform's own. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error) ?? ''
  return [String(error), error.stack, JSON.stringify(error), JSON.stringify({ ...error, cause: undefined })].join('\n')
}

function listen(engine: Engine, seen: string[]): void {
  for (const name of eventNames)
    engine.on(name, (event: EngineEvents[EventName]) => {
      const { error, cause, ...rest } = event as { error?: unknown; cause?: unknown }
      seen.push(name, JSON.stringify(rest), told(error), told(cause))
    })
}

/** The command line of every process that this one has started. */
function childCommands(): string {
  const commands: string[] = []
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${id}/status`, 'utf8')
      if (status.includes(`PPid:\t${process.pid}\n`)) commands.push(readFileSync(`/proc/${id}/cmdline`, 'utf8'))
    } catch {
      // It has ended meanwhile.
    }
  }
  return commands.join('\n')
}

async function bytesBelow(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  expect(files.some((file) => file.endsWith('catalog.db'))).toBe(true)
  expect(files.some((file) => file.endsWith('manifest.1.json'))).toBe(true)
  return (await Promise.all(files.map((file) => readFile(file, 'latin1')))).join('\n')
}

it('a secret never appears in a message, stack, event, log line, notification, database, repository or argument list', async () => {
  const world = errorWorld()
  const secret = { password: canary, failing: false }
  const seen: string[] = []
  const write = (line: string) => void seen.push(line)
  const socketPath = join(world.folder, 'docker.sock')
  const engine = await world.engine({
    providers: { files: loginProvider(world, secret), docker: docker({ socketPath }) },
    notifiers: { console: consoleNotifier({ write }) },
    logger: consoleLogger({ write, clock: systemClock, level: 'debug', format: 'json' }),
    retry: { maxFailures: 2, delayMs: 10 },
    leaseMs: 1000,
  })
  listen(engine, seen)
  await engine.start()
  await engine.runPlan('nightly')
  await engine.restore({ provider: 'files', id: 'shop-db' }, { name: 'copy' })
  secret.failing = true
  const options = { password: canary, tls: { passphrase: canary, key: canary }, token: [canary] }
  const dockerPlan: PlanInput = { kind: 'backup', repository: 'main', workloads: [{ provider: 'docker', id: 'x' }], options }
  const errors = [
    await rejection(engine.runPlan('nightly')),
    await rejection(engine.restore({ provider: 'files', id: 'shop-db' }, { name: 'another' })),
    await rejection(engine.putPlan('bad', { ...plan, options })),
    await rejection(engine.putPlan('bad', { ...plan, password: canary } as unknown as PlanInput)),
    await rejection(engine.putPlan('bad', dockerPlan)),
    await rejection(engine.restore({ provider: 'docker', id: 'x' }, { options })),
    await rejection(engine.restore({ provider: 'docker', id: 'x' }, { options: { driverOptions: { password: [canary] } } })),
    await rejection(engine.run({ key: 'bad', operation: 'verify', repository: 'main', password: canary })),
    await rejection(world.engine({ leaseMs: 1000, plans: { bad: { ...plan, options: { secret: canary } } } })),
  ]
  expect(errors.map(({ code }) => code)).toEqual([
    'PROVIDER_FAILED',
    'PROVIDER_FAILED',
    ...Array.from({ length: 7 }, () => 'INVALID_OPTIONS'),
  ])
  seen.push(...errors.map(told))
  secret.failing = false
  await engine.idle()
  await engine.verify({ repository: 'main' })
  seen.push(childCommands())
  const places = { told: seen.join('\n'), files: await bytesBelow(world.folder) }
  await engine.stop()
  expect(places.told).toContain('could not log in')
  expect(places.files).toContain('could not log in')
  for (const [place, text] of Object.entries(places))
    for (const form of [canary, btoa(canary)]) {
      const at = text.indexOf(form)
      expect(at < 0 ? '' : text.slice(Math.max(0, at - 200), at + 60), `the secret in ${place}`).toBe('')
    }
}, 60_000)
