import { HoldfastError } from '@holdfast/core/spec'
import { seededRandom } from '@holdfast/testkit'
import { pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { createTarScan, sameContent, type TarSummary } from './tar-scan.ts'
import { tarOfOneFile } from './wipe-archive.ts'

interface Entry {
  readonly name: string
  readonly type?: 'file' | 'link' | 'symlink' | 'directory' | 'fifo' | 'character-device'
  readonly linkname?: string
  readonly content?: string
  readonly mode?: number
  readonly uid?: number
  readonly pax?: Record<string, string>
}
async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const packer = pack()
  for (const { content = '', type = 'file', ...entry } of entries) packer.entry({ ...entry, type, mtime: new Date(1e12) }, content)
  packer.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of packer) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
function scan(bytes: Uint8Array, chunkBytes = 7000): TarSummary {
  const scanner = createTarScan({ contents: true })
  for (let at = 0; at < bytes.length; at += chunkBytes) scanner.push(bytes.subarray(at, at + chunkBytes))
  return scanner.finish()
}
function refusal(bytes: Uint8Array): string {
  try {
    scan(bytes)
  } catch (error) {
    if (HoldfastError.isInstance(error)) return error.code
    throw error
  }
  return 'accepted'
}
const root: Entry = { name: 'data/', type: 'directory' }
/** Changes bytes of the first header and mends its checksum. */
function forged(tar: Buffer, change: (header: Buffer) => void, at = 0): Buffer {
  const copy = Buffer.from(tar)
  const header = copy.subarray(at, at + 512)
  change(header)
  header.write('        ', 148)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return copy
}

describe('archives that are fine', () => {
  it('are summed up alike however they are cut into chunks', async () => {
    const bytes = await tarOf([
      root,
      { name: 'data/a', content: 'x'.repeat(513) },
      { name: `data/${'n'.repeat(200)}/${'m'.repeat(90)}`, content: 'long' },
      { name: 'data/l', type: 'link', linkname: 'data/a' },
      { name: 'data/s', type: 'symlink', linkname: '../../../etc/passwd' },
      { name: 'data/p', type: 'fifo' },
      { name: 'data/ünï', content: 'u', uid: 3_000_000 },
    ])
    const whole = scan(bytes, bytes.length)
    expect(whole).toMatchObject({ entries: 7, hardLinks: 1, bytes: 518 })
    const seed = 20261121
    const random = seededRandom(seed)
    for (let round = 0; round < 50; round++)
      expect(scan(bytes, 1 + Math.floor(Math.abs(random.next()) % 2000)), `seed ${seed}`).toEqual(whole)
  })

  it('may have dots and double slashes, and a name with two dots in it', async () => {
    expect(scan(await tarOf([root, { name: 'data//x/./y' }, { name: 'data/..z' }, { name: 'data/a..b' }])).entries).toBe(4)
  })

  it('of the GNU kind with long names are read', async () => {
    const long = `data/${'g'.repeat(300)}`
    const name = forged(await tarOf([{ name: 'data/x', content: `${long}\0` }]), (header) => {
      header.fill(0, 0, 100)
      header.write('././@LongLink', 0)
      header.write('L', 156)
      header.write('ustar  \0', 257)
    })
    const file = await tarOf([{ name: 'data/cut', content: 'c' }])
    const bytes = Buffer.concat([name.subarray(0, 1024), file])
    const plain = await tarOf([{ name: long, content: 'c' }])
    expect(sameContent(scan(bytes), scan(plain))).toBe(true)
  })
})

describe('archives that reach outside', () => {
  const cases: Record<string, readonly Entry[]> = {
    'a name with ..': [{ name: 'data/../evil' }],
    'a name with .. at its end': [{ name: 'data/x/..' }],
    'an absolute name': [{ name: '/data/x' }],
    'another first folder': [{ name: 'etc/passwd' }],
    'no folder': [{ name: 'database' }],
    'a long name with ..': [{ name: `data/${'a'.repeat(120)}/../../evil` }],
    'an extended name with ..': [{ name: 'data/x', pax: { path: 'data/../../evil' } }],
    'a sparse name with ..': [{ name: 'data/x', pax: { 'GNU.sparse.name': 'data/../evil' } }],
    'a hard link outside': [{ name: 'data/x', type: 'link', linkname: '/etc/passwd' }],
    'a hard link with ..': [{ name: 'data/x', type: 'link', linkname: 'data/../../etc/passwd' }],
    'an extended hard link outside': [{ name: 'data/x', type: 'link', linkname: 'data/y', pax: { linkpath: '../etc/passwd' } }],
    'a name through a symbolic link': [{ name: 'data/s', type: 'symlink', linkname: '/etc' }, { name: 'data/s/passwd' }],
    'a name through a hard link to a symbolic link': [
      { name: 'data/s', type: 'symlink', linkname: '/etc' },
      { name: 'data/t', type: 'link', linkname: 'data/s' },
      { name: 'data/t/passwd' },
    ],
    'a hard link through a symbolic link': [
      { name: 'data/s', type: 'symlink', linkname: '/etc' },
      { name: 'data/h', type: 'link', linkname: 'data/s/passwd' },
    ],
    'a symbolic link in place of the volume': [{ name: 'data', type: 'symlink', linkname: '/etc' }],
    'a file in place of the volume': [{ name: 'data', content: 'x' }],
  }
  for (const [text, entries] of Object.entries(cases))
    it(`${text} is PATH_OUTSIDE`, async () => {
      expect(refusal(await tarOf([root, ...entries]))).toBe('PATH_OUTSIDE')
    })

  it('the tar of the wipe would be refused from a repository', () => {
    expect(refusal(tarOfOneFile('data'))).toBe('PATH_OUTSIDE')
  })
})

describe('archives that are broken', () => {
  it('without end marks are TRUNCATED at every length', async () => {
    const bytes = await tarOf([root, { name: 'data/a', content: 'x'.repeat(600) }])
    const contentEnd = 512 * 4
    for (let length = 0; length < contentEnd + 1024; length += 100)
      expect(refusal(bytes.subarray(0, length)), `${length} bytes`).toBe('TRUNCATED')
    expect(refusal(bytes)).toBe('accepted')
  })

  it('any bit of a header changed is noticed, here or by the summary', async () => {
    const bytes = await tarOf([{ name: 'data/abc', content: 'hello' }])
    const whole = scan(bytes)
    for (let bit = 0; bit < 512 * 8; bit++) {
      const copy = Buffer.from(bytes)
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const code = refusal(copy)
      // A changed space or end mark behind the checksum's digits means the same.
      if (code === 'accepted') expect(sameContent(scan(copy), whole), `bit ${bit}`).toBe(bit >= 148 * 8 && bit < 156 * 8)
    }
  })

  it('lies about sizes are refused', async () => {
    const one = await tarOf([{ name: 'data/x', content: 'hello' }])
    expect(refusal(forged(one, (header) => header.write('5', 156)))).toBe('POINT_DAMAGED')
    expect(refusal(forged(one, (header) => header.fill(0xff, 124, 136)))).toBe('POINT_DAMAGED')
    expect(refusal(forged(one, (header) => header.write('77777777777\0', 124)))).toBe('TRUNCATED')
    expect(refusal(await tarOf([{ name: 'data/x', content: 'hello', pax: { size: '-1' } }]))).toBe('POINT_DAMAGED')
    expect(refusal(forged(one, (header) => header.write('x', 156)))).toBe('POINT_DAMAGED')
    expect(
      refusal(
        forged(one, (header) => {
          header.write('L', 156)
          header.write('00100000000\0', 124)
        }),
      ),
    ).toBe('POINT_DAMAGED')
  })

  it('kinds of entries the engine reads otherwise are refused', async () => {
    const one = await tarOf([{ name: 'data/x', content: 'hello' }])
    for (const type of ['S', 'V', 'M', 'D', 'A', 'X'])
      expect(refusal(forged(one, (header) => header.write(type, 156)))).toBe('UNSUPPORTED_FORMAT')
    // A version record decides whether the engine takes the name of a sparse file or that of its path.
    expect(refusal(await tarOf([{ name: 'data/x', pax: { 'GNU.sparse.name': 'data/y' } }]))).toBe('UNSUPPORTED_FORMAT')
    expect(refusal(await tarOf([{ name: 'data/x', pax: { 'GNU.sparse.map': '0,1' } }]))).toBe('UNSUPPORTED_FORMAT')
    expect(refusal(forged(one, (header) => header.write('2', 156)))).toBe('POINT_DAMAGED')
    expect(refusal(forged(one, (header) => header.write('tar\0', 508)))).toBe('POINT_DAMAGED')
    expect(refusal(forged(one, (header) => header.write('other', 257)))).toBe('POINT_DAMAGED')
  })
})

describe('comparing archives', () => {
  const files: readonly Entry[] = [root, { name: 'data/a', content: 'one' }, { name: 'data/b', content: 'two' }]
  const differs = async (entries: readonly Entry[]) => !sameContent(scan(await tarOf(files)), scan(await tarOf(entries)))
  it('order is no difference', async () => {
    expect(await differs(files.toReversed())).toBe(false)
  })
  it('content, name, mode, owner, a missing or added file and swapped contents are', async () => {
    const [, a, b] = files as [Entry, Entry, Entry]
    expect(await differs([root, a, { ...b, content: 'twO' }])).toBe(true)
    expect(await differs([root, a, { ...b, name: 'data/c' }])).toBe(true)
    expect(await differs([root, a, { ...b, mode: 0o600 }])).toBe(true)
    expect(await differs([root, a, { ...b, uid: 7 }])).toBe(true)
    expect(await differs([root, a])).toBe(true)
    expect(await differs([...files, { name: 'data/empty' }])).toBe(true)
    expect(await differs([root, { ...a, content: 'two' }, { ...b, content: 'one' }])).toBe(true)
    expect(await differs([{ ...root, mode: 0o700 }, a, b])).toBe(true)
  })
  it('which name of a hard-linked file comes first is none', async () => {
    const first = await tarOf([root, { name: 'data/a', content: 'x' }, { name: 'data/b', type: 'link', linkname: 'data/a' }])
    const second = await tarOf([root, { name: 'data/b', content: 'x' }, { name: 'data/a', type: 'link', linkname: 'data/b' }])
    expect(sameContent(scan(first), scan(second))).toBe(true)
  })
})
