import { chmodSync, lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HoldfastError } from '@holdfast/core/spec'
import { seededRandom } from '@holdfast/testkit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { archive, pax, raw } from '../../../core/test/tar-fixture.ts'
import { type Unpacked, unpack } from './unpack.ts'

const superuser = process.getuid?.() === 0

function fresh() {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-unpack-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function* chunksOf(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size))
}

interface Setup {
  readonly folder?: string
  readonly size?: number
  readonly superuser?: boolean
}

const unpacked = ({ folder = fresh(), size = 700, superuser: root = superuser }: Setup, ...parts: Buffer[]): Promise<Unpacked> =>
  unpack(chunksOf(archive(...parts), size), folder, { what: 'v', superuser: root })

async function codeOf(...parts: Buffer[]): Promise<string> {
  const above = fresh()
  const folder = join(above, 'in', 'here')
  const { mkdirSync } = await import('node:fs')
  mkdirSync(folder, { recursive: true })
  try {
    await unpacked({ folder }, ...parts)
    return 'nothing thrown'
  } catch (error) {
    return HoldfastError.isInstance(error) ? error.code : String(error)
  } finally {
    expect(readdirSync(above)).toEqual(['in'])
    expect(readdirSync(join(above, 'in'))).toEqual(['here'])
  }
}

const file = (name: string, text: string) => raw({ name, body: Buffer.from(text) })
const folder = (name: string, mode = '0000755') => withMode(raw({ name, flag: '5' }), mode)
const link = (name: string, to: string, flag = '2') => raw({ name, flag, link: to })

/** Another mode, and the checksum anew. */
function withMode(entry: Buffer, mode: string): Buffer {
  entry.write(`${mode}\0`, 100)
  entry.write('00000000012 ', 136)
  entry.fill(0x20, 148, 156)
  const sum = entry.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  entry.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return entry
}

describe('an archive', () => {
  it('becomes files, folders and links, whatever the chunks are', async () => {
    for (const size of [1, 511, 512, 513, 100_000]) {
      const at = fresh()
      const made = await unpacked(
        { folder: at, size },
        folder('./'),
        folder('./a/'),
        file('./a/one', 'first'),
        link('./a/two', 'one'),
        link('./hard', './a/one', '1'),
        file('./b/without-a-folder-entry/three', 'x'.repeat(1500)),
        file('empty', ''),
      )
      expect(made).toEqual({ files: 3, folders: 2, links: 2, warnings: superuser ? [] : [expect.stringContaining('owners are not set')] })
      expect(readFileSync(join(at, 'a/one'), 'utf8')).toBe('first')
      expect(readlinkSync(join(at, 'a/two'))).toBe('one')
      expect(statSync(join(at, 'hard')).ino).toBe(statSync(join(at, 'a/one')).ino)
      expect(readFileSync(join(at, 'b/without-a-folder-entry/three'), 'utf8')).toBe('x'.repeat(1500))
      expect(statSync(join(at, 'empty')).size).toBe(0)
    }
  })

  it('keeps mode and time of files and of folders, also of those that forbid writing, in any order of its entries', async () => {
    const at = fresh()
    await unpacked(
      { folder: at, superuser: false },
      folder('closed/', '0000555'),
      folder('open/', '0000770'),
      withMode(file('open/f', '1'), '0000640'),
      withMode(file('closed/late', '2'), '0000400'),
      folder('open/deep/', '0000700'),
      withMode(file('closed/later', '3'), '0004755'),
    )
    const about = (path: string) => [lstatSync(join(at, path)).mode & 0o7777, lstatSync(join(at, path)).mtimeMs]
    expect(about('closed')).toEqual([0o555, 10_000])
    expect(about('open')).toEqual([0o770, 10_000])
    expect(about('open/f')).toEqual([0o640, 10_000])
    expect(about('closed/late')).toEqual([0o400, 10_000])
    // Not root: the set-user-id bit would give away the rights of whoever restores.
    expect(about('closed/later')).toEqual([0o755, 10_000])
    chmodSync(join(at, 'closed'), 0o755)
  })

  it('keeps names that are no UTF-8', async () => {
    const at = fresh()
    const name = Buffer.from('na\xefve-\xff', 'latin1')
    await unpacked({ folder: at }, pax({ path: name }), file('x', '1'))
    expect(readdirSync(at, { encoding: 'buffer' })).toEqual([name])
  })

  it('gives a name that comes twice its last content, and warns', async () => {
    const at = fresh()
    const { warnings } = await unpacked({ folder: at }, file('a', 'old'), file('b', 'other'), file('a', 'new'), link('b', 'a'))
    expect(readFileSync(join(at, 'a'), 'utf8')).toBe('new')
    expect(readlinkSync(join(at, 'b'))).toBe('a')
    expect(warnings).toContainEqual(expect.stringContaining('2 names came twice'))
  })

  it('comes without devices and pipes, with a warning', async () => {
    const at = fresh()
    const { warnings, files } = await unpacked(
      { folder: at },
      raw({ name: 'null', flag: '3' }),
      raw({ name: 'pipe', flag: '6' }),
      raw({ name: 'odd', flag: 'V', body: Buffer.from('12345') }),
      file('f', '1'),
    )
    expect(readdirSync(at)).toEqual(['f'])
    expect(files).toBe(1)
    expect(warnings).toContainEqual('v: 3 left out: no files, folders or links (devices, pipes); the first is null (character-device)')
  })

  it('keeps links that point anywhere, as content, and warns of those that lead out', async () => {
    const at = fresh()
    const { warnings } = await unpacked(
      { folder: at },
      link('in', 'a/../b'),
      link('d/up', '../x'),
      link('out', '../x'),
      link('root', '/etc'),
    )
    expect(readlinkSync(join(at, 'root'))).toBe('/etc')
    expect(warnings).toContainEqual('v: symbolic links that lead out of the folder: 2, made as they are; the first is out -> ../x')
  })

  it('says what of it is not set', async () => {
    const { warnings } = await unpacked({}, pax({ 'SCHILY.xattr.user.x': 'y' }), file('f', '1'))
    expect(warnings).toContainEqual(expect.stringContaining('extended attributes of 1 entries are not set; the first is f'))
  })
})

describe('faults F12: an archive that wants to write elsewhere is refused, and nothing outside changes', () => {
  it('by its names', async () => {
    for (const name of ['/etc/x', '../x', 'a/../../x', 'a/../x', '..', './..'])
      expect(await codeOf(file(name, '1')), name).toBe('PATH_OUTSIDE')
    expect(await codeOf(pax({ path: '../x' }), file('x', '1'))).toBe('PATH_OUTSIDE')
  })

  it('by hard links', async () => {
    for (const to of ['/etc/passwd', '../x', 'a/../../x']) expect(await codeOf(link('l', to, '1')), to).toBe('PATH_OUTSIDE')
    expect(await codeOf(link('up', '..'), link('l', 'up/in', '1'))).toBe('PATH_OUTSIDE')
    expect(await codeOf(link('l', 'nowhere', '1'))).toBe('POINT_DAMAGED')
    expect(await codeOf(folder('d/'), link('l', 'd', '1'))).toBe('POINT_DAMAGED')
    expect(await codeOf(link('l', '.', '1'))).toBe('POINT_DAMAGED')
  })

  it('through symbolic links, one or several, to folders or files', async () => {
    expect(await codeOf(link('up', '..'), file('up/x', '1'))).toBe('PATH_OUTSIDE')
    expect(await codeOf(link('here', '.'), file('here/x', '1'))).toBe('PATH_OUTSIDE')
    expect(await codeOf(folder('d/'), link('d/up', '../..'), folder('d/up/x/'))).toBe('PATH_OUTSIDE')
    expect(await codeOf(link('up', '..'), folder('up/'))).toBe('PATH_OUTSIDE')
    expect(await codeOf(link('up', '..'), link('same', 'up', '1'), file('same/x', '1'))).toBe('PATH_OUTSIDE')
    expect(await codeOf(link('out', '../x'), file('out', 'replaces the link, not what it points to'))).toBe('nothing thrown')
    expect(await codeOf(link('out', '../x'), link('two', 'out', '1'), file('two', 'the same'))).toBe('nothing thrown')
  })

  it('by an entry in place of its own folder, or by folder and file of one name', async () => {
    expect(await codeOf(file('.', '1'))).toBe('PATH_OUTSIDE')
    expect(await codeOf(link('./', '/etc'))).toBe('PATH_OUTSIDE')
    expect(await codeOf(folder('d/'), file('d', '1'))).toBe('POINT_DAMAGED')
    expect(await codeOf(file('d', '1'), file('d/x', '1'))).toBe('PATH_OUTSIDE')
    expect(await codeOf(file('d/', 'content'))).toBe('POINT_DAMAGED')
  })

  it('and so is what other readers of tar would take differently', async () => {
    expect(await codeOf(raw({ flag: 'S' }))).toBe('UNSUPPORTED')
    expect(await codeOf(pax({ 'GNU.sparse.major': '1' }), file('x', '1'))).toBe('UNSUPPORTED')
  })

  it('also by many entries in any order', async () => {
    const random = seededRandom(Number(process.env.HOLDFAST_SEED ?? 12))
    const names = ['a', 'b', 'a/b', 'b/a', 'a/b/c', '../a', '/a', 'a/../../b', '.', '..']
    const codes = new Map<string, number>()
    for (let round = 0; round < 300; round++) {
      const entries = Array.from({ length: 6 }, () => {
        const name = random.pick(names)
        const kind = random.below(4)
        if (kind === 0) return file(name, 'x')
        return kind === 1
          ? folder(`${name}/`)
          : link(name, random.pick(['..', '../..', '/etc', '.', 'a', 'b', '../a']), kind === 2 ? '2' : '1')
      })
      const code = await codeOf(...entries)
      expect(['nothing thrown', 'PATH_OUTSIDE', 'POINT_DAMAGED'], `seed ${random.seed}, round ${round}`).toContain(code)
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
    expect(codes.get('PATH_OUTSIDE')).toBeGreaterThan(50)
  })
})

it('an archive that ends early or is damaged is no archive', async () => {
  const bytes = archive(file('a', '1'), file('b', '2'))
  const take = (length: number) => unpack(chunksOf(bytes.subarray(0, length), 300), fresh(), { what: 'v', superuser })
  await expect(take(bytes.length - 1024)).rejects.toMatchObject({ code: 'TRUNCATED' })
  bytes[3] = 0x55
  await expect(take(bytes.length)).rejects.toMatchObject({ code: 'POINT_DAMAGED' })
})

it('a link that was there before is not followed either', async () => {
  const at = fresh()
  const elsewhere = fresh()
  symlinkSync(elsewhere, join(at, 'd'))
  await expect(unpacked({ folder: at }, file('d/x', '1'))).rejects.toMatchObject({ code: 'PATH_OUTSIDE' })
  expect(readdirSync(elsewhere)).toEqual([])
})
