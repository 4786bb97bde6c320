import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { countingIds } from '@holdfast/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createScratch } from './scratch.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scratch-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const make = (at = folder) => createScratch({ folder: at, ids: countingIds('s') })

describe('a scratch file', () => {
  it('gives back what was written, in any order, over a size of terabytes', async () => {
    const file = await make().open()
    const offset = 3 * 2 ** 40
    await file.write(Buffer.from('far'), offset)
    await file.write(Buffer.from('near'), 5)
    const [far, near] = [Buffer.alloc(3), Buffer.alloc(4)]
    await file.readInto(far, offset)
    await file.readInto(near, 5)
    expect([far.toString(), near.toString()]).toEqual(['far', 'near'])
    await file[Symbol.asyncDispose]()
    await file[Symbol.asyncDispose]()
  })

  it('has no name while it is used, so that it is gone with its process', async () => {
    const file = await make().open()
    await file.write(Buffer.alloc(1000), 0)
    expect(readdirSync(folder)).toEqual([])
    const open = readdirSync('/proc/self/fd').map((each) => {
      try {
        return readlinkSync(`/proc/self/fd/${each}`)
      } catch {
        return ''
      }
    })
    expect(open.filter((path) => path.startsWith(folder)).map((path) => path.endsWith('(deleted)'))).toEqual([true])
    await file[Symbol.asyncDispose]()
  })

  it('is made in a folder that is made when it is not there, for this user alone', async () => {
    const inner = join(folder, 'a/b')
    const file = await make(inner).open()
    expect(statSync(inner).mode & 0o777).toBe(0o700)
    await file[Symbol.asyncDispose]()
  })
})

describe('the scratch folder', () => {
  it('is made again when it was removed meanwhile: it always looks empty', async () => {
    const scratch = make()
    await (await scratch.open())[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
    const file = await scratch.open()
    await file.write(Buffer.from('here'), 0)
    expect(readdirSync(folder)).toEqual([])
    await file[Symbol.asyncDispose]()
  })

  it('loses the names that a process left which died in between, and nothing else', async () => {
    writeFileSync(join(folder, 'holdfast-scratch-left'), '')
    writeFileSync(join(folder, 'of-somebody-else'), 'x')
    const file = await make().open()
    expect(readdirSync(folder)).toEqual(['of-somebody-else'])
    await file[Symbol.asyncDispose]()
  })

  it('that is none is a mistake in the options that names it, and is tried again at the next call', async () => {
    const path = join(folder, 'file')
    writeFileSync(path, '')
    const scratch = make(path)
    await expect(scratch.open()).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining(path),
      remedy: expect.stringContaining('scratch'),
    })
    rmSync(path)
    await (await scratch.open())[Symbol.asyncDispose]()
  })

  it('that cannot be made is a mistake in the options', async () => {
    const path = join(folder, 'file')
    writeFileSync(path, '')
    await expect(make(join(path, 'below')).open()).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining(path),
    })
  })
})
