import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HoldfastError } from '@holdfast/core/spec'
import { collectingSink, diskOfVmdk, memoryRunContext, sourceFrom, vmdkOf } from '@holdfast/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { diskFiles } from './disk-files-provider.ts'
import { isCompact, parseOptions } from './options.ts'
import { putExport, putFile, takeFile } from './streams.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-streams-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('streams', () => {
  it('a file of several chunks goes into a point and out of it, and every chunk is used while it is lent', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_001 }, (_, at) => at % 251))
    await writeFile(join(folder, 'original'), bytes)
    const { sink, items } = collectingSink()
    await putFile(sink, 'content', join(folder, 'original'))
    const provider = diskFiles({ folder })
    const [file] = sourceFrom(items, {
      workload: { id: 'w', name: 'w', kind: 'volume' },
      kind: 'disk-files',
      result: { description: {}, consistency: 'off', skipped: [] },
    }).files
    if (file === undefined) throw new Error('nothing was put')
    await takeFile(file, join(folder, 'part'), memoryRunContext({ provider }).run)
    expect(bytes.equals(await readFile(join(folder, 'part')))).toBe(true)
  })

  it('an export of a disk goes into a point under its name, with its disk', async () => {
    const content = Buffer.alloc(200_192, 'content')
    const vmdk = vmdkOf(content)
    await writeFile(join(folder, 'export'), vmdk)
    const { sink, items } = collectingSink()
    const disk = { key: 'disk', name: 'web', size: content.length }
    expect(await putExport(sink, disk, join(folder, 'export'))).toMatchObject({ size: vmdk.length, kept: true })
    const [item] = items
    expect(item).toMatchObject({ type: 'stream', name: 'web.vmdk', format: 'vmdk', disk })
    expect(Buffer.from(diskOfVmdk(item?.bytes ?? Buffer.alloc(0), content.length)).equals(content)).toBe(true)
  })

  it('an aborted stream rejects with the reason of its signal', async () => {
    await writeFile(join(folder, 'original'), 'content')
    const aborted = new AbortController()
    const reason = new HoldfastError('ABORTED', 'nobody wants it any more')
    const { sink } = collectingSink()
    const reading: typeof sink.stream = async (item) => {
      const bytes = await item.open(aborted)
      aborted.abort(reason)
      for await (const chunk of bytes) throw new Error(`${chunk.length} bytes after the abort`)
      throw new Error('the stream ended')
    }
    await expect(putFile({ ...sink, stream: reading }, 'content', join(folder, 'original'))).rejects.toBe(reason)
  })
})

describe('options', () => {
  it('differ per use, have defaults, and are strict', () => {
    const request = (options: unknown) => ({ workload: 'w', options: parseOptions('backup', options) })
    expect(isCompact(request({}))).toBe(true)
    expect(isCompact(request({ compact: false }))).toBe(false)
    expect(() => parseOptions('restore', { compact: true })).toThrow('my-platform restore options: compact is not known here')
  })
})
