import type { RestoreRequest } from '@holdfast/core/spec'
import { memoryRunContext } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { sourceOf, tar } from '../test/support/with-engine.ts'
import { docker } from './index.ts'
import type { Labels } from './mark-labels.ts'
import type { RestoreOptions } from './options.ts'
import { newVolumeSpec } from './restore-volume.ts'
import { describeVolume } from './volume-description.ts'

interface Original {
  readonly driver?: string
  readonly options?: Labels
  readonly labels?: Labels
}

/** The new volume of a restore, and what the run was warned of, of a point that was made of this volume. */
function restored({ driver = 'local', options, labels }: Original, given: RestoreOptions = {}, purpose?: RestoreRequest['purpose']) {
  const description = describeVolume({ Name: 'shop', Driver: driver, Options: options, Labels: labels }, '27', [])
  const { run, notes } = memoryRunContext({ provider: docker() })
  const source = sourceOf(tar, { description: JSON.parse(JSON.stringify(description)) })
  return { spec: newVolumeSpec('again', source, given, run, purpose), notes }
}

describe('a volume is never made with the placeholder of a secret', () => {
  const sshfs = { driver: 'vieux/sshfs', options: { sshcmd: 'u@nas:/shop', password: 'hunter2' } }
  const cifs = { options: { type: 'cifs', device: '//nas/share', o: 'username=shop,password=hunter2,vers=3' } }

  it('an option that is only a secret is left out, with a warning that names it and says how to give it', () => {
    const { spec, notes } = restored(sshfs)
    expect(spec).toEqual({ name: 'again', driver: 'vieux/sshfs', options: { sshcmd: 'u@nas:/shop' }, labels: {} })
    expect(notes).toEqual([
      { level: 'warning', code: 'OPTIONS_LEFT_OUT', message: expect.stringContaining('without the option password:') },
    ])
    expect(notes[0]?.message).toContain('driverOptions')
    expect(notes[0]?.message).not.toContain('***')
  })

  it('a label with a secret is left out the same way, the others stay', () => {
    const { spec, notes } = restored({ labels: { tier: 'low', 'app.token': 'hunter2', dsn: 'pg://shop:hunter2@db/x' } })
    expect(spec.labels).toEqual({ tier: 'low' })
    expect(notes).toEqual([
      { level: 'warning', code: 'OPTIONS_LEFT_OUT', message: expect.stringContaining('without the labels app.token, dsn:') },
    ])
  })

  it.each([
    ['a share whose mount options held the password', cifs, 'o'],
    ['a place whose URL held it', { options: { type: 'davfs', device: 'https://shop:hunter2@nas/dav' } }, 'device'],
    ['a driver whose own option held it', { driver: 'rclone', options: { url: 'https://shop:hunter2@nas', cache: 'off' } }, 'url'],
  ])('without an option that says more than the secret the volume could lie elsewhere: refused for %s', (_, original, option) => {
    expect(() => restored(original)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTIONS',
        message: expect.stringContaining(`option ${option} `),
        remedy: expect.stringContaining('driverOptions'),
      }),
    )
  })

  it('options and labels given by hand are taken as they are, without a warning', () => {
    const driverOptions = { ...cifs.options, o: 'username=shop,password=by-hand' }
    const labels = { token: 'by-hand' }
    const { spec, notes } = restored({ ...cifs, labels: { token: 'hunter2' } }, { driverOptions, labels })
    expect(spec).toEqual({ name: 'again', driver: 'local', options: driverOptions, labels })
    expect(notes).toEqual([])
  })

  it('the remedy of a refusal works: a volume on the disk of the host', () => {
    const { spec } = restored({ driver: 'rclone', options: { url: 'https://shop:hunter2@nas' } }, { driver: 'local', driverOptions: {} })
    expect(spec).toEqual({ name: 'again', driver: 'local', options: {}, labels: {} })
  })

  it('a test restore of a share is not refused: its copy is never made in the place of the original', () => {
    const { spec, notes } = restored(cifs, {}, 'test')
    expect(spec.options).toEqual({})
    expect(notes).toEqual([expect.objectContaining({ code: 'OPTIONS_LEFT_OUT', message: expect.stringContaining('//nas/share') })])
  })
})

it('a warning of a place tells no secret that an earlier version has recorded', () => {
  const { run, notes } = memoryRunContext({ provider: docker() })
  const volume = { name: 'shop', driver: 'local', options: { type: 'davfs', device: 'https://shop:hunter2@nas/dav' }, labels: {} }
  newVolumeSpec('again', sourceOf(tar, { description: { v: 1, volume } }), {}, run)
  expect(notes).toHaveLength(1)
  expect(notes[0]?.message).toContain('nas/dav')
  expect(notes[0]?.message).not.toContain('hunter2')
})
