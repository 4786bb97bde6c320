import { describe, expect, it } from 'vitest'
import { HoldfastError } from '../spec/errors.ts'
import { type BackupPlanInput, parsePlan, planJsonSchema } from './plan.ts'

const plan: BackupPlanInput = { kind: 'backup', repository: 'main', workloads: [{ provider: 'docker', id: 'shop-db' }] }
const refusal = (input: unknown, id = 'nightly'): HoldfastError => {
  try {
    parsePlan(id, input)
  } catch (error) {
    if (HoldfastError.isInstance(error)) return error
    throw error
  }
  throw new Error('it was taken')
}

describe('plan', () => {
  it('fills in its defaults, and parses to itself', () => {
    const parsed = parsePlan('nightly', plan)
    expect(parsed).toEqual({ ...plan, options: {}, compression: 'zstd', priority: 0 })
    expect(parsePlan('nightly', parsed)).toEqual(parsed)
    expect(parsePlan('nightly', { ...plan, options: undefined })).toEqual(parsed)
    expect(parsePlan('nightly', { ...plan, options: { pause: true }, compression: 'none' })).toMatchObject({
      options: { pause: true },
      compression: 'none',
    })
  })

  it.each([
    ['a misspelt key', { ...plan, compresion: 'zstd' }, 'plan "nightly": compresion is not known here', 'Did you mean "compression"?'],
    ['a misspelt word', { ...plan, compression: 'ztsd' }, 'compression is "ztsd"; allowed: "zstd", "gzip", "none"', 'Did you mean "zstd"?'],
    [
      'a misspelt key deep down',
      { ...plan, workloads: [{ provder: 'docker', id: 'x' }] },
      'workloads[0].provder is not known here',
      'Did you mean "provider"?',
    ],
    ['a missing key', { kind: 'backup', workloads: plan.workloads }, 'repository is missing; expected string', 'Mend'],
    ['a wrong type', { ...plan, workloads: 'shop-db' }, 'workloads is "shop-db"; expected array', 'Mend'],
    ['no workload', { ...plan, workloads: [] }, 'workloads is a list of 0: a plan protects at least one workload', 'Mend'],
    ['a priority out of range', { ...plan, priority: 101 }, 'priority is 101: expected a whole number, -100 to 100', 'Mend'],
    [
      'no repository to clean up',
      { kind: 'maintenance', task: 'clean-up', repositories: [] },
      'repositories is a list of 0: name at least one repository, or leave it out',
      'Mend',
    ],
    ['a bad name', { ...plan, repository: 'Main Repo' }, 'repository is "Main Repo": names are lower-case letters', 'Mend'],
    ['an empty id', { ...plan, workloads: [{ provider: 'docker', id: '' }] }, 'workloads[0].id is ""', 'Mend'],
    ['an id with a control character', { ...plan, workloads: [{ provider: 'docker', id: 'a\nb' }] }, 'workloads[0].id is "a\\nb"', 'Mend'],
    [
      'a workload twice',
      { ...plan, workloads: [...plan.workloads, ...plan.workloads] },
      'workloads[1] names docker/shop-db a second time',
      'Mend',
    ],
    ['a function', { ...plan, options: { before: () => 1 } }, 'options.before is a function; expected plain data', 'Mend'],
    ['a date', { ...plan, options: { at: new Date(0) } }, 'options.at is an instance of Date', 'Mend'],
    ['NaN', { ...plan, options: { n: Number.NaN } }, 'options.n is NaN', 'Mend'],
    ['nothing', undefined, 'plan "nightly"', 'Mend'],
    ['a list', [], 'the value is a list of 0; expected object', 'Mend'],
  ])('refuses %s and says where', (_name, input, message, remedy) => {
    const error = refusal(input)
    expect(error.code).toBe('INVALID_OPTIONS')
    expect(error.message).toContain(message)
    expect(error.remedy).toContain(remedy)
  })

  it.each(['verify', 'replication'])('says that %s is not supported yet', (part) => {
    expect(refusal({ ...plan, [part]: {} }).message).toBe(`plan "nightly": ${part} is not supported yet in this version`)
  })
  it('knows schedules and retention, and names the path of a mistake in them', () => {
    const schedule = { type: 'simple', every: 'day', at: '02:30', zone: 'Europe/Berlin' }
    const parsed = parsePlan('nightly', { ...plan, schedule, retention: { last: 3, within: '2d' } })
    expect(parsed).toMatchObject({ schedule: { overlap: 'skip', at: ['02:30'] }, retention: { last: 3, within: 172_800_000, zone: 'UTC' } })
    expect(parsePlan('nightly', parsed)).toEqual(parsed)
    expect(refusal({ ...plan, schedule: { ...schedule, at: '25:00' } }).message).toContain('schedule.at')
    expect(refusal({ ...plan, schedule: { ...schedule, zone: 'Europe/Berln' } }).message).toContain('schedule.zone is "Europe/Berln"')
    expect(refusal({ ...plan, schedule: '0 2 * * *' })).toMatchObject({
      message: 'plan "nightly": schedule is "0 2 * * *"; expected object',
      remedy: `Write schedule: { type: 'cron', expression: "0 2 * * *" }.`,
    })
    expect(refusal({ ...plan, schedule: 'nightly' }).remedy).toContain("type: 'simple'")
    expect(refusal({ ...plan, schedule: { type: 'simple', every: 'hour', minuet: 5 } }).remedy).toContain('Did you mean "minute"?')
    expect(refusal({ ...plan, retention: { dialy: 3 } }).remedy).toContain('Did you mean "daily"?')
    expect(refusal({ ...plan, retention: { last: 0 } }).message).toContain('leave the whole policy out to keep everything')
  })
  it('knows when a chain begins anew, and names the path of a mistake in it', () => {
    const chain = { fullEvery: '30d', fullOn: { weekday: 'sunday' } }
    const parsed = parsePlan('nightly', { ...plan, chain })
    expect(parsed).toMatchObject({
      chain: { maxIncrementals: 10, fullEvery: 2_592_000_000, fullOn: { weekday: 'sunday', zone: 'UTC' } },
    })
    expect(parsePlan('nightly', parsed)).toEqual(parsed)
    expect(parsePlan('nightly', { ...plan, chain: {} })).toMatchObject({ chain: { maxIncrementals: 10 } })
    expect(parsePlan('nightly', { ...plan, chain: { maxIncrementals: 0 } })).toMatchObject({ chain: { maxIncrementals: 0 } })
    expect(parsePlan('nightly', { ...plan, chain: { fullOn: { monthDay: 'last' } } })).toMatchObject({
      chain: { fullOn: { monthDay: 'last' } },
    })
    expect(refusal({ ...plan, chain: { maxIncrementals: -1 } }).message).toContain(
      'chain.maxIncrementals is -1: expected a whole number, 0 or more',
    )
    expect(refusal({ ...plan, chain: { fullEvery: '0s' } }).message).toContain('for nothing but full backups write maxIncrementals: 0')
    expect(refusal({ ...plan, chain: { fullEvery: '1w' } }).message).toContain('chain.fullEvery is "1w"')
    expect(refusal({ ...plan, chain: { maxIncremental: 3 } }).remedy).toContain('Did you mean "maxIncrementals"?')
  })
  it('tells what is wrong with the day of a full backup, and which days there are', () => {
    const ofDay = (fullOn: unknown) => refusal({ ...plan, chain: { fullOn } })
    const allowed = '"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"'
    expect(ofDay({ weekday: 'Sunday' })).toMatchObject({
      message: `plan "nightly": chain.fullOn.weekday is "Sunday"; allowed: ${allowed}`,
      remedy: 'Did you mean "sunday"?',
    })
    for (const monthDay of [0, 32, 1.5, 'first'])
      expect(ofDay({ monthDay }).message).toContain(
        `chain.fullOn.monthDay is ${JSON.stringify(monthDay)}: expected a day of the month, 1 to 31, or "last"`,
      )
    expect(ofDay({ weekday: 'sunday', monthDay: 1 }).message).toContain(
      'chain.fullOn is an object: it has weekday and monthDay; say only one',
    )
    expect(ofDay({ zone: 'UTC' }).message).toContain('expected { weekday: "sunday" } or { monthDay: 1 }')
    expect(ofDay({ weekday: 'sunday', zone: 'Europe/Berln' }).message).toContain('chain.fullOn.zone is "Europe/Berln"')
    expect(ofDay({ weekdays: 'sunday' }).remedy).toContain('Did you mean "weekday"?')
    expect(ofDay('sunday').message).toContain('chain.fullOn is "sunday"; expected object')
  })
  it('takes the day of a full backup in the zone of its schedule, unless it says another', () => {
    const schedule = { type: 'simple', every: 'day', at: '00:30', zone: 'Europe/Berlin' }
    const fullOn = { weekday: 'sunday' }
    expect(parsePlan('nightly', { ...plan, schedule, chain: { fullOn } })).toMatchObject({ chain: { fullOn: { zone: 'Europe/Berlin' } } })
    const elsewhere = { fullOn: { ...fullOn, zone: 'Asia/Kolkata' } }
    expect(parsePlan('nightly', { ...plan, schedule, chain: elsewhere })).toMatchObject({ chain: { fullOn: { zone: 'Asia/Kolkata' } } })
  })
  it('chooses workloads by id, glob and labels', () => {
    const workloads = [
      { provider: 'd', id: 'a' },
      { provider: 'd', glob: 'shop-*', labels: { tier: 'critical' } },
    ]
    expect(parsePlan('nightly', { ...plan, workloads })).toMatchObject({ workloads })
    for (const wrong of [{ provider: 'd' }, { provider: 'd', id: 'a', glob: 'b' }, { provider: 'd', labels: {} }])
      expect(refusal({ ...plan, workloads: [wrong] }).message).toContain('choose either by id, or by glob, labels or both')
    expect(refusal({ ...plan, workloads: [{ provider: 'd', labls: { a: 'b' } }] }).remedy).toContain('Did you mean "labels"?')
  })
  it('knows verification and maintenance plans', () => {
    expect(parsePlan('v', { kind: 'verification', repository: 'main' })).toEqual({
      kind: 'verification',
      repository: 'main',
      mode: 'full',
      points: 1,
      restore: { options: {} },
      priority: 0,
    })
    expect(parsePlan('m', { kind: 'maintenance', task: 'clean-up' })).toEqual({ kind: 'maintenance', task: 'clean-up', priority: 0 })
    expect(refusal({ kind: 'maintenance', task: 'cleanup' }).remedy).toContain('Did you mean "clean-up"?')
  })
  it('says that other kinds are not supported yet', () => {
    expect(refusal({ ...plan, kind: 'replication' }).message).toContain('kind "replication" is not supported yet')
    expect(refusal({ ...plan, kind: 'bakcup' }).remedy).toBe('Did you mean "backup"?')
  })

  it('refuses circles and endless depth instead of dying', () => {
    const circle: { self?: unknown } = {}
    circle.self = circle
    expect(refusal({ ...plan, options: circle }).message).toContain('nested deeper than 64 levels')
  })

  it('refuses names that cannot be part of a key', () => {
    for (const id of ['', 'Nightly', '-x', 'a/b', 'a b', 'x'.repeat(64), '__proto__'])
      expect(refusal(plan, id).message).toContain('name of a plan')
  })

  it('never shows what may be a secret', () => {
    const canary = 'hunter2-canary'
    const inputs = [
      { ...plan, password: canary },
      { ...plan, workloads: [{ provider: 'docker', id: 'x', token: canary }] },
      { ...plan, repository: `sftp://me:${canary}@host/path` },
      { ...plan, options: { password: new Map([[canary, canary]]) } },
    ]
    for (const input of inputs) expect(JSON.stringify([refusal(input), refusal(input).message, refusal(input).stack])).not.toContain(canary)
  })

  it('has a JSON Schema of what may be written', () => {
    const { oneOf } = planJsonSchema() as unknown as { oneOf: { required: string[]; additionalProperties: boolean; properties: object }[] }
    expect(oneOf.map(({ required }) => required)).toEqual([
      ['kind', 'repository', 'workloads'],
      ['kind', 'repository'],
      ['kind', 'workloads', 'retention'],
      ['kind', 'task'],
    ])
    expect(oneOf.every(({ additionalProperties }) => additionalProperties === false)).toBe(true)
    expect(Object.keys(oneOf[0]?.properties ?? {})).toContain('schedule')
  })
})
