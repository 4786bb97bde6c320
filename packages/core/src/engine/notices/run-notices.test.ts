import { describe, expect, it } from 'vitest'
import type { Json } from '../../spec/json.ts'
import type { Outcome, Run } from '../../spec/store.ts'
import { cancelledNotice, type RunEnd, runNotices, skippedNotice } from './run-notices.ts'

const at = Date.UTC(2026, 10, 20, 2, 30)
const run: Run = {
  id: 'r1',
  key: 'nightly/docker/shop-db/2026-11-20T02:00:00.000Z',
  operation: 'backup',
  planId: 'nightly',
  workload: 'docker/shop-db',
  delay: 0,
  priority: 0,
  maxFailures: 3,
  needs: [],
  resources: [],
  input: { operation: 'backup', repository: 'main' },
  dueAt: at,
  notBefore: at,
  state: 'running',
  attempt: 1,
  failures: 0,
  reads: [],
  intents: [],
}
const error = { code: 'DISK_FULL', message: 'The repository is full.', remedy: 'Free space.' }
const gib = 1024 ** 3
const backup: Json = {
  repository: 'main',
  point: 'p1',
  bytes: { provisioned: 10 * gib, used: 5 * gib, transferred: 4.2 * gib, stored: 1.1 * gib },
  items: [{ name: 'disk-0', form: 'incremental', size: 1, stored: 1 }],
  warnings: [],
}
const succeeded = (result: Json): Outcome => ({ state: 'succeeded', result, points: [], follow: [] })
const told = (end: Partial<RunEnd> & Pick<RunEnd, 'outcome'>) =>
  runNotices({ run, at, elapsedMs: 192_000, ...end }).map(({ id, event }) => {
    const { type, severity, text, at: when } = event as { readonly [name: string]: string }
    return { id, type, severity, text, at: when }
  })
const time = '2026-11-20T02:30:00.000Z'

describe('what is told of a run', () => {
  it('that succeeded: how long it took and how much it moved', () => {
    expect(told({ outcome: succeeded(backup) })).toEqual([
      {
        id: 'r1/1/run-succeeded',
        type: 'run-succeeded',
        severity: 'info',
        text: 'Backup of docker/shop-db (plan "nightly") succeeded in 3 min 12 s: incremental, 4.2 GiB read, 1.1 GiB stored.',
        at: time,
      },
    ])
  })

  it('that succeeded at last: at which attempt', () => {
    const [notice] = told({ run: { ...run, attempt: 3, failures: 2 }, outcome: succeeded(backup) })
    expect(notice).toMatchObject({ id: 'r1/3/run-succeeded', text: expect.stringContaining('succeeded at attempt 3 in 3 min 12 s') })
  })

  it('that failed, is tried again, was cancelled: why', () => {
    expect(told({ outcome: { state: 'failed', error } })).toEqual([
      {
        id: 'r1/1/run-failed',
        type: 'run-failed',
        severity: 'error',
        text: 'Backup of docker/shop-db (plan "nightly") failed: The repository is full. Free space.',
        at: time,
      },
    ])
    expect(told({ run: { ...run, attempt: 2 }, outcome: { state: 'queued', delay: 20_000, failure: true, error } })).toEqual([
      {
        id: 'r1/2/run-retried',
        type: 'run-retried',
        severity: 'warning',
        text: 'Backup of docker/shop-db (plan "nightly") failed at attempt 2 and is tried again in 20 s: The repository is full.',
        at: time,
      },
    ])
    const cancelled = { code: 'RUN_CANCELLED', message: 'The run was cancelled: asked by Ada' }
    expect(told({ outcome: { state: 'cancelled', error: cancelled } })).toEqual([
      {
        id: 'r1/1/run-cancelled',
        type: 'run-cancelled',
        severity: 'info',
        text: 'Backup of docker/shop-db (plan "nightly"): The run was cancelled: asked by Ada',
        at: time,
      },
    ])
  })

  it('that a stopping node hands back: nothing', () => {
    expect(told({ outcome: { state: 'queued', delay: 0, failure: false, error } })).toEqual([])
  })

  it('for programs: the run, plan, workload, repository and error', () => {
    const [notice] = runNotices({ run, at, elapsedMs: 5, outcome: { state: 'failed', error } })
    expect(notice?.event).toMatchObject({
      data: {
        run: 'r1',
        key: run.key,
        operation: 'backup',
        attempt: 1,
        plan: 'nightly',
        workload: 'docker/shop-db',
        repository: 'main',
        elapsedMs: 5,
        error,
      },
    })
  })

  it('that was skipped, or cancelled before it began', () => {
    expect(skippedNotice(run, at)).toMatchObject({
      id: 'r1/skipped',
      event: {
        type: 'run-skipped',
        at: time,
        text: 'Backup of docker/shop-db (plan "nightly") was skipped: the one before has not ended.',
      },
    })
    expect(cancelledNotice(run, at, 'asked by Ada')).toMatchObject({
      id: 'r1/cancelled',
      event: { type: 'run-cancelled', text: 'Backup of docker/shop-db (plan "nightly") was cancelled before it began: asked by Ada' },
    })
  })
})

describe('a success after a failure', () => {
  it('is told under an id that is a function of the failure', () => {
    const lastFailed: Run = { ...run, id: 'r0', state: 'failed', error }
    expect(told({ outcome: succeeded(backup), lastFailed })[1]).toEqual({
      id: 'r0/recovered',
      type: 'run-recovered',
      severity: 'info',
      text: 'Backup of docker/shop-db (plan "nightly") works again. It had failed: The repository is full.',
      at: time,
    })
  })
})

describe('what a success has to show', () => {
  const of = (operation: string, input: Json, result: Json) =>
    told({ run: { ...run, operation, input, workload: undefined, planId: undefined } as unknown as Run, outcome: succeeded(result) })
  const input = { repository: 'main' }

  it('of a verification, with a warning when it has found something', () => {
    const good = of('verify', input, { repository: 'main', mode: 'full', points: 12, bytes: 3 * gib, findings: [] })
    expect(good).toMatchObject([
      {
        severity: 'info',
        text: 'Verification of repository "main" succeeded in 3 min 12 s: 12 points checked, 3 GiB read, nothing wrong.',
      },
    ])
    const findings = [
      { point: 'p', file: 'a/1/x.tar', message: 'is cut' },
      { point: 'p', file: 'b', message: 'is gone' },
    ]
    expect(of('verify', input, { repository: 'main', mode: 'full', points: 1, bytes: 0, findings })).toMatchObject([
      { severity: 'warning', text: expect.stringContaining('1 point checked, 0 B read, 2 findings, first: a/1/x.tar: is cut.') },
    ])
  })

  it('of a pruning, a rescan and a restore', () => {
    expect(of('prune', input, { repository: 'main', points: ['a', 'b'], bytes: gib })).toMatchObject([
      { text: 'Pruning of repository "main" succeeded in 3 min 12 s: 2 points deleted, 1 GiB freed.' },
    ])
    expect(of('rescan', input, { repository: 'main', added: 1, removed: 0, findings: [] })).toMatchObject([
      { text: expect.stringContaining('1 point added, 0 removed, nothing wrong.') },
    ])
    expect(
      of('restore', input, { repository: 'main', point: 'p1', provider: 'docker', workload: 'copy', purpose: 'recover' }),
    ).toMatchObject([{ text: 'Restore of repository "main" succeeded in 3 min 12 s: copy from point p1.' }])
  })

  it.each(['verify', 'prune'])('of a run (%s) that is for one workload: which', (operation) => {
    const notice = of(operation, { ...input, workload: { provider: 'docker', id: 'shop-db' } }, null)
    expect(notice).toMatchObject([{ text: expect.stringContaining(' of docker/shop-db succeeded') }])
  })

  it('of a take-over: who the owner was', () => {
    expect(of('rescan', { ...input, takeOver: 'store-1' }, { repository: 'main', added: 0, removed: 0, findings: [] })[1]).toEqual({
      id: 'r1/taken-over',
      type: 'repository-taken-over',
      severity: 'warning',
      text: 'Repository "main" is owned by this catalog now. Before, its owner was store-1.',
      at: time,
    })
  })

  it('of a test restore that does not pass its probe: the evidence', () => {
    const probe = { verdict: 'failed', evidence: 'no answer on port 5432' }
    const notices = of('restore', { ...input, purpose: 'test' }, { point: 'p1', workload: 'copy', purpose: 'test', probe })
    expect(notices[1]).toMatchObject({ id: 'r1/probe-failed', severity: 'error', text: expect.stringContaining('no answer on port 5432') })
    const passed = { point: 'p1', workload: 'copy', purpose: 'test', probe: { verdict: 'ok', evidence: '' } }
    expect(of('restore', { ...input, purpose: 'test' }, passed).length).toBe(1)
  })

  it.each([null, 'text', 5, [], {}, { bytes: null, items: 'x' }] as const)(
    'of the result %j, whose shape is not known: that it succeeded',
    (result) => {
      for (const operation of ['backup', 'restore', 'verify', 'prune', 'rescan', 'sweep', 'another'])
        expect(of(operation, null, result as Json)[0]?.text).toMatch(/succeeded in 3 min 12 s/)
      expect(told({ outcome: { state: 'failed', error: result as Json } })[0]?.text).toContain('no reason was given')
    },
  )
})
