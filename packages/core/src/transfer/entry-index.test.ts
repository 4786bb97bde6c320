import { describe, expect, it } from 'vitest'
import { collect } from '../../test/transfer-fixture.ts'
import { createIndexWriter, type IndexedEntry, readIndex } from './entry-index.ts'

const entries = [
  { name: Buffer.from('plain'), type: 'file', size: 1, offset: 512 },
  { name: Buffer.from('new\nline "quoted" \u0001 日本'), type: 'symlink', size: 0, offset: 1536 },
  { name: Buffer.from([0x61, 0xff, 0xfe, 0x0a]), type: 'directory', size: 0, offset: 2 ** 45 },
]
function index(): Buffer {
  const writer = createIndexWriter()
  const parts: Buffer[] = []
  for (const entry of entries) {
    writer.add(entry)
    parts.push(writer.take())
  }
  return Buffer.concat([...parts, writer.end()])
}
async function* chunks(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
const read = (bytes: Uint8Array, size = 7): Promise<IndexedEntry[]> => collect(readIndex(chunks(bytes, size), 'shop/p1/1/v.tar.index'))

describe('the entry index', () => {
  it('gives back every name, byte for byte', async () => {
    for (const size of [1, 7, 4096]) {
      const found = await read(index(), size)
      expect(found.map(({ name, nameBytes }) => Buffer.from(nameBytes ?? name))).toEqual(entries.map(({ name }) => name))
      expect(found.map(({ type, size: bytes, offset }) => [type, bytes, offset])).toEqual(
        entries.map((entry) => [entry.type, entry.size, entry.offset]),
      )
    }
  })
  it('shows a name that is not UTF-8 in a readable way as well', async () => {
    expect((await read(index()))[2]).toMatchObject({ name: 'a\ufffd\ufffd\n', nameBytes: entries[2]?.name })
  })
  it('of an empty archive has only its last line', async () => {
    const bytes = createIndexWriter().end()
    expect(bytes.toString()).toBe('{"entries":0}\n')
    expect(await read(bytes)).toEqual([])
  })
  it('that is cut anywhere is POINT_DAMAGED and names the file', async () => {
    const whole = index()
    for (let length = 0; length < whole.length; length++)
      await expect(read(whole.subarray(0, length)), `cut at ${length}`).rejects.toMatchObject({
        code: 'POINT_DAMAGED',
        message: expect.stringContaining('v.tar.index'),
      })
  })
  it('that says something else is POINT_DAMAGED', async () => {
    const last = '{"entries":0}\n'
    for (const text of [
      'nonsense\n',
      '{}\n',
      '{"name":1}\n',
      '{"entries":1}\n',
      `${last}${last}`,
      `${last}{"name":"x","type":"file","size":0,"offset":0}\n`,
      '{"name":"x","type":"file","size":-0.5,"offset":0}\n',
      'null\n',
      '[]\n',
    ])
      await expect(read(Buffer.from(text)), text).rejects.toMatchObject({ code: 'POINT_DAMAGED' })
  })
})
