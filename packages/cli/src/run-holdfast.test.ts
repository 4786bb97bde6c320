import { fakeClock } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { runHoldfast } from './run-holdfast.ts'

async function run(...words: string[]) {
  const out = { stdout: '', stderr: '' }
  const code = await runHoldfast(words, {
    folder: '/no-such-folder',
    write: (text) => {
      out.stdout += text
    },
    tell: (text) => {
      out.stderr += text
    },
    superuser: false,
    clock: fakeClock(),
    signal: new AbortController().signal,
  })
  return { code, ...out }
}

describe('the command', () => {
  it('explains itself: all of it, and each part with examples and exit codes', async () => {
    for (const words of [['--help'], ['-h'], ['help']]) {
      const { code, stdout } = await run(...words)
      expect(code).toBe(0)
      for (const name of ['points', 'show', 'verify', 'restore']) expect(stdout).toContain(`\n  ${name} `)
    }
    for (const name of ['points', 'show', 'verify', 'restore']) {
      for (const words of [
        [name, '--help'],
        ['help', name],
        [name, 'x', '-h'],
        ['--help', name],
      ]) {
        const { code, stdout } = await run(...words)
        expect(code, words.join(' ')).toBe(0)
        for (const text of [`holdfast ${name} FOLDER`, 'Examples:\n  holdfast ', 'Exit codes:']) expect(stdout).toContain(text)
      }
    }
  })

  it('without words shows its help as an error', async () => {
    expect(await run()).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('holdfast COMMAND --help') })
  })

  it.each([
    [['poinst'], '"poinst" is no command: did you mean points?'],
    [['help', 'restroe'], '"restroe" is no command: did you mean restore?'],
    [['points'], 'Write: holdfast points FOLDER'],
    [['points', 'r', '--jsn'], 'did you mean --json?'],
    [['restore', 'r', 'latest'], '--into is missing'],
    [['points', 'r'], '/no-such-folder/r is no repository: the folder is not there. (REPOSITORY_MISSING)'],
  ])('%j end with 2 and a message', async (words, message) => {
    expect(await run(...words)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) })
  })

  it('tells errors to programs as well', async () => {
    const { code, stdout, stderr } = await run('points', 'r', '--json')
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toEqual({ error: { code: 'REPOSITORY_MISSING', message: expect.any(String), remedy: expect.any(String) } })
    expect(stderr).toContain('REPOSITORY_MISSING')
  })
})
