import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { archive, block, codeOf, end, pax, raw } from '../../../../test/tar-fixture.ts'
import { createTarScanner, type TarEntry } from './tar-scanner.ts'

interface Seen extends Pick<TarEntry, 'type' | 'size' | 'offset'> {
  readonly name: Buffer
}

function scan(bytes: Uint8Array, chunkBytes = bytes.length): Seen[] {
  const entries: Seen[] = []
  const onEntry = ({ name, type, size, offset }: TarEntry) => entries.push({ name: Buffer.from(name), type, size, offset })
  const scanner = createTarScanner({ what: 'volume.tar', onEntry })
  for (let at = 0; at < bytes.length; at += chunkBytes) scanner.write(bytes.subarray(at, at + chunkBytes))
  scanner.end()
  return entries
}

describe('archives made by GNU tar', () => {
  let folder = ''
  const long = `${'d'.repeat(90)}/${'e'.repeat(120)}`
  const names = ['plain', `deep/${long}`, 'unicode-äöü-日本', 'new\nline', 'space at end ']
  const invalid = Buffer.from([0x69, 0x6e, 0xff, 0xfe, 0x76])

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tar-scanner-'))
    mkdirSync(join(folder, 'deep', 'd'.repeat(90)), { recursive: true })
    names.forEach((name, index) => {
      writeFileSync(join(folder, name), Buffer.alloc(index * 700 + 1, index + 65))
    })
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), invalid]), 'bytes')
    writeFileSync(join(folder, 'empty'), '')
    linkSync(join(folder, 'plain'), join(folder, 'z-hard'))
    symlinkSync('../../etc/passwd', join(folder, 'escape'))
    symlinkSync('t'.repeat(300), join(folder, 'long-target'))
    writeFileSync(join(folder, 'sparse'), 'begin')
    truncateSync(join(folder, 'sparse'), 5_000_000)
    writeFileSync(join(folder, 'sparse'), 'end', { flag: 'a' })
    execFileSync('mkfifo', [join(folder, 'pipe')])
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const tar = (...options: string[]) =>
    execFileSync('tar', ['-C', folder, '-c', '--sort=name', ...options, '.'], { maxBuffer: 64 << 20, stdio: ['ignore', 'pipe', 'ignore'] })

  for (const options of [
    ['--format=gnu'],
    ['--format=pax'],
    ['--format=gnu', '--sparse'],
    ['--format=pax', '--sparse', '--sparse-version=0.0'],
    ['--format=pax', '--sparse', '--sparse-version=0.1'],
    ['--format=pax', '--sparse', '--sparse-version=1.0'],
    ['--format=oldgnu'],
    ['--format=gnu', '--blocking-factor=1'],
  ]) {
    it(`docker #21: every entry is counted, ${options.join(' ')}`, () => {
      const bytes = tar(...options)
      const entries = scan(bytes)
      const listed = execFileSync('tar', ['-t', '--null', '--quoting-style=literal', '--show-stored-names'], { input: bytes }).length
      const found = new Map(entries.map((entry) => [entry.name.toString('latin1'), entry]))
      expect(entries.reduce((sum, { name }) => sum + name.length + 1, 0)).toBe(listed)
      names.forEach((name, index) => {
        const entry = found.get(Buffer.from(`./${name}`).toString('latin1'))
        expect(entry, name).toMatchObject({ type: 'file', size: index * 700 + 1 })
        const { offset, size } = entry as Seen
        expect(bytes.subarray(offset, offset + size).equals(Buffer.alloc(size, index + 65))).toBe(true)
      })
      expect(found.get(`./${invalid.toString('latin1')}`)).toMatchObject({ type: 'file', size: 5 })
      expect(found.get('./z-hard')).toMatchObject({ type: 'link', size: 0 })
      expect(found.get('./escape')).toMatchObject({ type: 'symlink', size: 0 })
      expect(found.get('./pipe')).toMatchObject({ type: 'fifo', size: 0 })
      expect(found.get('./')).toMatchObject({ type: 'directory' })
      expect(found.get('./sparse')?.type).toBe('file')
    })
  }

  it('gives the same entries whatever the chunks are', () => {
    const bytes = tar('--format=pax', '--sparse', '--sparse-version=1.0')
    const whole = scan(bytes)
    for (const chunkBytes of [1, 7, 511, 512, 513, 1024, 65536]) expect(scan(bytes, chunkBytes), `${chunkBytes}`).toEqual(whole)
  })

  it('docker #6: an archive that is cut at any 512-byte boundary is TRUNCATED', () => {
    const bytes = tar('--format=gnu')
    const last = Math.max(...scan(bytes).map(({ offset, size }) => offset + Math.ceil(size / block) * block))
    let cuts = 0
    for (let length = 0; length < last + 2 * block; length += block, cuts++) {
      expect(
        codeOf(() => scan(bytes.subarray(0, length))),
        `cut at ${length}`,
      ).toBe('TRUNCATED')
    }
    expect(cuts).toBeGreaterThan(20)
    for (const length of [1, 511, 513, last + 1, last + 2 * block - 1])
      expect(
        codeOf(() => scan(bytes.subarray(0, length))),
        `cut at ${length}`,
      ).toBe('TRUNCATED')
    expect(scan(bytes.subarray(0, last + 2 * block))).toEqual(scan(bytes))
  })
})

describe('end of the archive', () => {
  it('is not an empty stream (docker #7)', () => expect(codeOf(() => scan(Buffer.alloc(0)))).toBe('TRUNCATED'))
  it('is two zero blocks, with any padding', () => {
    expect(scan(end)).toEqual([])
    expect(scan(Buffer.concat([archive(raw({})), Buffer.alloc(7 * block + 3)]))).toHaveLength(1)
  })
  it('is not one zero block and then more', () => {
    expect(codeOf(() => scan(Buffer.concat([raw({}), Buffer.alloc(block), raw({}), end])))).toBe('PROVIDER_FAILED')
  })
  it('is followed by nothing but zeros', () => {
    expect(codeOf(() => scan(Buffer.concat([archive(raw({})), Buffer.from('x')])))).toBe('PROVIDER_FAILED')
    expect(codeOf(() => scan(Buffer.concat([archive(raw({})), archive(raw({}))])))).toBe('PROVIDER_FAILED')
  })
  it('is missed when a file is shorter than its header says', () => {
    expect(codeOf(() => scan(archive(raw({ size: 5000, body: Buffer.from('short') }))))).toBe('TRUNCATED')
  })
})

describe('headers', () => {
  it('that are garbage are refused at once, with the byte', () => {
    const bytes = Buffer.concat([raw({}), Buffer.alloc(block, 0x41), end])
    expect(() => scan(bytes)).toThrow(/volume\.tar: no tar header at byte 512/)
    expect(codeOf(() => scan(Buffer.from('<html>502 Bad Gateway</html>'.repeat(40))))).toBe('PROVIDER_FAILED')
  })
  it('that lost one bit are refused', () => {
    const bytes = archive(raw({ body: Buffer.from('content') }))
    for (let bit = 0; bit < block * 8; bit += 3) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      // The checksum field may say the same number in other characters, with a space for a leading zero.
      if (bit >> 3 >= 148 && bit >> 3 < 156) continue
      expect(
        codeOf(() => scan(flipped)),
        `bit ${bit}`,
      ).not.toBe('nothing thrown')
    }
  })
  it('may say sizes of 8 GiB and more in base 256 and in pax', () => {
    const size = Buffer.alloc(12)
    size[0] = 0x80
    size.writeUIntBE(9 * 2 ** 30, 6, 6)
    for (const header of [raw({ size }), Buffer.concat([pax({ size: String(9 * 2 ** 30) }), raw({ size: 0 })])]) {
      const entries: TarEntry[] = []
      const scanner = createTarScanner({ what: 'x', onEntry: (entry) => entries.push(entry) })
      scanner.write(header)
      expect(entries[0]?.size).toBe(9 * 2 ** 30)
      expect(() => scanner.end()).toThrow('without its two end blocks')
    }
  })
  it('with sizes that are no sizes are refused', () => {
    const negative = Buffer.alloc(12, 0xff)
    const huge = Buffer.alloc(12, 0x7f)
    huge[0] = 0x80
    for (const size of [negative, huge, Buffer.from('00000000009\0'), Buffer.from('-0000000001\0')])
      expect(
        codeOf(() => scan(archive(raw({ size })))),
        size.toString('hex'),
      ).toBe('PROVIDER_FAILED')
    for (const size of ['-1', '1e3', '99999999999999999999', '', ' 5'])
      expect(
        codeOf(() => scan(archive(pax({ size }), raw({})))),
        size,
      ).toBe('PROVIDER_FAILED')
  })
  it('of things that are no files must have no content', () => {
    for (const flag of ['3', '4', '5', '6'])
      expect(
        codeOf(() => scan(archive(raw({ flag, size: 512, body: Buffer.alloc(512) })))),
        flag,
      ).toBe('PROVIDER_FAILED')
    expect(scan(archive(raw({ flag: '1', link: 'other', size: 4711 }), raw({})))).toHaveLength(2)
  })
  it('announce long names of at most 1 MiB', () => {
    expect(codeOf(() => scan(archive(raw({ flag: 'L', size: 2 ** 40 }), raw({}))))).toBe('PROVIDER_FAILED')
    expect(codeOf(() => scan(archive(raw({ flag: 'x', size: 2 ** 20 + 1 }), raw({}))))).toBe('PROVIDER_FAILED')
  })
  it('of pax with records that lie about their length are refused', () => {
    for (const body of ['99 path=x\n', '0 path=x\n', '10 path=xx', 'path=x\n', '9 path=x', '-9 path=x\n', '7 path\n\n'])
      expect(
        codeOf(() => scan(archive(raw({ flag: 'x', body: Buffer.from(body) }), raw({})))),
        body,
      ).toBe('PROVIDER_FAILED')
  })
  it('of pax with an empty name leave the one of the header', () => {
    expect(scan(archive(pax({ path: '' }), raw({ name: 'own' }))).map(({ name }) => `${name}`)).toEqual(['own'])
  })
  it('of pax name one entry, the second one of two instead of the first', () => {
    expect(scan(archive(pax({ path: 'first' }), pax({ comment: 'x' }), raw({ name: 'own' }))).map(({ name }) => `${name}`)).toEqual(['own'])
  })
  it('of pax stand among global ones that name nothing', () => {
    const names = scan(archive(pax({ comment: 'x' }, 'g'), pax({ path: 'first' }), raw({}), raw({ name: 'second' }))).map(
      ({ name }) => `${name}`,
    )
    expect(names).toEqual(['first', 'second'])
  })
})

describe('names that leave the folder (faults F12)', () => {
  const outside = ['/etc/passwd', '../x', 'a/../../x', './../x', '..', 'a/b/../../../c']
  it('are refused as entries, however they are written', () => {
    for (const name of outside) {
      expect(
        codeOf(() => scan(archive(raw({ name })))),
        name,
      ).toBe('PATH_OUTSIDE')
      expect(
        codeOf(() => scan(archive(pax({ path: name }), raw({})))),
        name,
      ).toBe('PATH_OUTSIDE')
      expect(
        codeOf(() => scan(archive(pax({ 'GNU.sparse.name': name }), raw({})))),
        name,
      ).toBe('PATH_OUTSIDE')
      expect(
        codeOf(() => scan(archive(raw({ flag: 'L', body: Buffer.from(`${name}\0`) }), raw({})))),
        name,
      ).toBe('PATH_OUTSIDE')
    }
    expect(codeOf(() => scan(archive(pax({ path: Buffer.from('a\0/../b') }), raw({}))))).toBe('PATH_OUTSIDE')
  })
  it('are refused as targets of hard links', () => {
    for (const link of outside) {
      expect(
        codeOf(() => scan(archive(raw({ flag: '1', link })))),
        link,
      ).toBe('PATH_OUTSIDE')
      expect(
        codeOf(() => scan(archive(pax({ linkpath: link }), raw({ flag: '1', link: 'good' })))),
        link,
      ).toBe('PATH_OUTSIDE')
      expect(
        codeOf(() => scan(archive(raw({ flag: 'K', body: Buffer.from(link) }), raw({ flag: '1', link: 'good' })))),
        link,
      ).toBe('PATH_OUTSIDE')
    }
  })
  it('may be the target of a symbolic link, and dots inside are no escape', () => {
    expect(
      scan(archive(raw({ flag: '2', link: '../../etc' }), raw({ name: 'a/../b' }), raw({ name: '..a/b..' }), raw({ name: 'a/...' }))),
    ).toHaveLength(4)
  })
})

describe('what readers of tar take differently is refused', () => {
  const long = (name: string, flag = 'L') => raw({ flag, body: Buffer.from(`${name}\0`) })
  const code = (...parts: Buffer[]) => codeOf(() => scan(archive(...parts)))
  it('a GNU long name and a pax name that differ, in any order', () => {
    expect(code(long('one'), pax({ path: 'two' }), raw({}))).toBe('PROVIDER_FAILED')
    expect(code(pax({ 'GNU.sparse.name': 'two' }), long('one'), raw({}))).toBe('PROVIDER_FAILED')
    expect(code(long('one', 'K'), pax({ linkpath: 'two' }), raw({ flag: '2', link: 'x' }))).toBe('PROVIDER_FAILED')
    expect(code(long('one'), pax({ path: 'one' }), raw({}))).toBe('nothing thrown')
  })
  it('a global header that sets a name or a size', () => {
    for (const key of ['path', 'linkpath', 'size', 'GNU.sparse.name'])
      expect(code(pax({ [key]: '1' }, 'g'), raw({})), key).toBe('PROVIDER_FAILED')
  })
  it('a global header between an entry and its long name', () => {
    expect(code(long('one'), pax({ comment: 'x' }, 'g'), raw({}))).toBe('PROVIDER_FAILED')
    expect(code(pax({ path: 'one' }), pax({ comment: 'x' }, 'g'), raw({}))).toBe('PROVIDER_FAILED')
    expect(code(long('one'), raw({}), pax({ comment: 'x' }, 'g'), raw({}))).toBe('nothing thrown')
  })
})

describe('what a scanner tells', () => {
  const contentsOf = (bytes: Buffer, chunkBytes: number): string[] => {
    const told: string[] = []
    const scanner = createTarScanner({
      what: 'x',
      onHeader: ({ flag, format }) => told.push(`header ${flag} ${format}`),
      onEntry: ({ name, linkName, pax: records }) =>
        told.push(`entry ${Buffer.from(name)}>${Buffer.from(linkName)} ${[...records.keys()]}:`),
      onContent: (content) => {
        told.push(`${told.pop()}${Buffer.from(content)}`)
      },
    })
    for (let at = 0; at < bytes.length; at += chunkBytes) scanner.write(bytes.subarray(at, at + chunkBytes))
    scanner.end()
    return told
  }
  it('is every header, every entry and its content without padding, whatever the chunks are', () => {
    const exact = 'y'.repeat(2 * block)
    const bytes = archive(
      pax({ comment: 'x' }),
      raw({ name: 'a', body: Buffer.from('content') }),
      raw({ name: 'empty' }),
      raw({ name: 'l', flag: '1', link: 'a' }),
      raw({ name: 'b', body: Buffer.from(exact) }),
    )
    for (const chunkBytes of [1, 5, 511, 512, 513, bytes.length])
      expect(contentsOf(bytes, chunkBytes), `${chunkBytes}`).toEqual([
        'header x ustar',
        'header 0 ustar',
        'entry a> comment:content',
        'header 0 ustar',
        'entry empty> :',
        'header 1 ustar',
        'entry l>a :',
        'header 0 ustar',
        `entry b> :${exact}`,
      ])
  })
  it('ends with what a callback throws', () => {
    const refuse = (): never => {
      throw new Error('refused')
    }
    for (const callback of ['onHeader', 'onEntry', 'onContent'] as const) {
      const scanner = createTarScanner({ what: 'x', [callback]: refuse })
      expect(() => scanner.write(archive(raw({ body: Buffer.from('1') }))), callback).toThrow('refused')
    }
  })
  it('has the code that the reader asks for', () => {
    const scanner = createTarScanner({ what: 'x', code: 'POINT_DAMAGED' })
    expect(codeOf(() => scanner.write(Buffer.alloc(block, 1)))).toBe('POINT_DAMAGED')
  })
})
