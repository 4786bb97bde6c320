import { describe, expect, it } from 'vitest'
import { pointsCommand } from './commands/points.ts'
import { restoreCommand } from './commands/restore.ts'
import { verifyCommand } from './commands/verify.ts'
import { parseWords } from './parse-words.ts'

describe('the words of a command', () => {
  it('are parsed in any order, with defaults', () => {
    expect(parseWords(pointsCommand, ['/srv'])).toEqual({
      folder: '/srv',
      points: [],
      json: false,
      quick: false,
      extract: false,
      format: 'qcow2',
    })
    expect(parseWords(restoreCommand, ['--into=/new', '/srv', '--json', 'latest', '--workload', 'docker/a', '--format', 'raw'])).toEqual({
      folder: '/srv',
      points: ['latest'],
      json: true,
      quick: false,
      extract: false,
      format: 'raw',
      into: '/new',
      workload: 'docker/a',
    })
    expect(parseWords(verifyCommand, ['/srv', 'a', 'b', '--', '--c'])).toMatchObject({ points: ['a', 'b', '--c'] })
  })

  it.each([
    [[], 'The folder of the repository is missing.'],
    [[''], 'The folder of the repository is missing.'],
    [['/srv'], 'The point is missing.'],
    [['/srv', 'a', 'b'], 'One word too many: "b".'],
    [['/srv', 'a', '--quick'], '--quick is not an option of "holdfast restore"'],
    [['/srv', 'a', '--extrcat'], '--extrcat is not an option of "holdfast restore": did you mean --extract?'],
    [
      ['/srv', 'a', '-x'],
      '-x is not an option of "holdfast restore", which has --into, --to, --workload, --disk, --extract, --format, --json.',
    ],
    [['/srv', 'a', '--into'], '--into needs a value.'],
    [['/srv', 'a', '--into='], '--into needs a value.'],
    [['/srv', 'a', '--into', '--json'], '--into needs a value.'],
    [['/srv', 'a', '--json=yes'], '--json takes no value, "yes" was given.'],
    [['/srv', 'a', '--into', 'b', '--into', 'c'], '--into was given twice.'],
    [['/srv', 'a', '--format', 'vhd'], '--format is "vhd"; allowed: raw, qcow2, vmdk, vmdk-stored.'],
  ])('%j are refused', (words, message) => {
    const remedy = expect.stringMatching(/^Write: holdfast restore FOLDER POINT.*holdfast restore --help$/)
    expect(() => parseWords(restoreCommand, words)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(message), remedy }),
    )
  })
})
