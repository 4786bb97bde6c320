import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { crashHarness } from './crash-harness.ts'

const script = fileURLToPath(new URL('./__fixtures__/crash-script.ts', import.meta.url))
const harness = crashHarness()
const all = ['notebook.write.before#1', 'notebook.write.after#1', 'notebook.write.before#2', 'notebook.write.after#2']
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-test-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('crashHarness', () => {
  it('records every point that the script reaches, and reports a script that fails with its output', async () => {
    expect(await harness.recordPoints(script, [join(folder, 'recorded')])).toEqual(all)
    await expect(harness.recordPoints(script, [join(folder, 'failed'), 'fail'])).rejects.toThrow('told to fail')
  })
  it('kills before and after each call: nothing of what follows happens', async () => {
    for (const [index, point] of all.entries()) {
      const file = join(folder, `killed-${index}`)
      const { signal, points } = await harness.runKilledAt(script, [file], point)
      expect([signal, points]).toEqual(['SIGKILL', all.slice(0, index + 1)])
      expect(await readFile(file, 'utf8').catch(() => '')).toBe(['', 'one\n', 'one\n', 'one\ntwo\n'][index])
    }
  })
  it('stops at a call and goes on from there when it is told to', async () => {
    const file = join(folder, 'stopped')
    const child = await harness.runStoppedAt(script, [file], 'notebook.write.before#2')
    expect(await readFile(file, 'utf8')).toBe('one\n')
    expect(child.points).toEqual(all.slice(0, 3))
    expect((await child.resume()).exitCode).toBe(0)
    expect(await readFile(file, 'utf8')).toBe('one\ntwo\n')
  })
  it('says when a point is never reached, and ends a stopped child that nobody wants any more', async () => {
    await expect(harness.runStoppedAt(script, [join(folder, 'never')], 'nobody.calls.before#1')).rejects.toThrow(
      'never reached nobody.calls.before#1',
    )
    expect(await harness.runKilledAt(script, [join(folder, 'never')], 'nobody.calls.before#1')).toMatchObject({ exitCode: 0 })
    const child = await harness.runStoppedAt(script, [join(folder, 'unwanted')], 'notebook.write.before#1')
    await child[Symbol.asyncDispose]()
    expect(() => process.kill(child.processId, 0)).toThrow('ESRCH')
  })
})
