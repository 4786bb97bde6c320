import type { RunContext } from '@holdfast/core/spec'
import { describe, expect, it } from 'vitest'
import { descriptorOf } from '../../test/support/ovf-descriptors.ts'
import type { Connection } from '../connection.ts'
import type { FoundDisk } from '../inventory/disks.ts'
import type { FoundMachine } from '../inventory/found-machine.ts'
import { parseOvf } from '../ovf/parse-ovf.ts'
import { describeExport } from './describe-export.ts'
import type { ReceivedFile } from './receive-files.ts'

const text = descriptorOf('vcenter')
const ovf = parseOvf(text, { what: 'the descriptor' })
const ref = { type: 'VirtualMachine' as const, value: 'vm-1' }

/** What would have come for the descriptor to be right. */
const received: readonly ReceivedFile[] = ovf.files.map(({ id, href, size = 0 }) => {
  const disk = ovf.disks.find(({ fileRef }) => fileRef === id)
  return {
    name: href,
    url: { key: `/vm-1/${id}`, disk: disk !== undefined } as ReceivedFile['url'],
    receipt: { size, sha256: '', kept: true },
    ...(disk !== undefined && { disk: { sizeBytes: disk.capacity } as FoundDisk }),
  }
})

interface Answer {
  readonly ovfDescriptor?: string
  readonly error?: readonly string[]
  readonly warning?: readonly string[]
}

/** Lets a host that answers so describe what came. */
async function described({ ovfDescriptor = text, error = [], warning = [] }: Answer, files = received) {
  const faults = (words: readonly string[]) => words.map((localizedMessage) => ({ fault: { $type: 'OvfFault' }, localizedMessage }))
  const asked: { readonly cdp?: unknown }[] = []
  const session = {
    content: { propertyCollector: { type: 'PropertyCollector', value: 'p' }, ovfManager: { type: 'OvfManager', value: 'o' } },
    async call(method: string, _self: unknown, parameters: { readonly cdp?: unknown }) {
      if (method !== 'CreateDescriptor') return undefined
      asked.push(parameters)
      return { ovfDescriptor, error: faults(error), warning: faults(warning) }
    },
  }
  const notes: string[] = []
  const run = {
    signal: new AbortController().signal,
    note: (...words: string[]) => void notes.push(words.join(' ')),
  } as unknown as RunContext
  const connection = { session, settings: { host: 'esxi.example' } } as unknown as Connection
  const machine = { name: 'web', ref } as FoundMachine
  const descriptor = await describeExport(connection, { machine, snapshot: undefined, received: files, manifest: undefined }, run)
  return { descriptor, notes, asked }
}

const changed = (index: number, change: Partial<ReceivedFile>): readonly ReceivedFile[] =>
  received.map((file, at) => (at === index ? { ...file, ...change } : file))
const isDisk = ({ disk }: ReceivedFile): boolean => disk !== undefined
const firstDisk = received.findIndex(isDisk)

describe('the descriptor of an export', () => {
  it('7: is asked for with the bytes that came of each file, and taken when it says the same', async () => {
    const { descriptor, asked, notes } = await described({})
    expect([descriptor === text, notes]).toEqual([true, []])
    const sizes = received.map(({ name, receipt }) => expect.objectContaining({ path: name, size: receipt.size }))
    expect(asked).toMatchObject([{ cdp: { ovfFiles: sizes } }])
  })

  it('7: that says another size than came is refused', async () => {
    const other = changed(firstDisk, { receipt: { size: 1, sha256: '', kept: true } })
    await expect(described({}, other)).rejects.toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: false,
      message: expect.stringContaining('1 bytes'),
    })
  })

  it('that says another size of a disk than the guest sees is refused', async () => {
    const other = changed(firstDisk, { disk: { sizeBytes: 512 } as FoundDisk })
    await expect(described({}, other)).rejects.toMatchObject({ code: 'PROVIDER_FAILED', message: expect.stringContaining('512') })
  })

  it('that names a file which did not come, or does not name a disk that came, is refused', async () => {
    const less = received.filter((_file, at) => at !== firstDisk)
    await expect(described({}, less)).rejects.toMatchObject({ code: 'PROVIDER_FAILED', message: expect.stringContaining('is not there') })
    const disk = received[firstDisk] as ReceivedFile
    const more = [...received, { ...disk, name: 'web-disk-9.vmdk' }]
    await expect(described({}, more)).rejects.toMatchObject({ message: expect.stringContaining('web-disk-9.vmdk') })
  })

  it('36: that names a file outside is refused', async () => {
    const name = received[firstDisk]?.name ?? ''
    const ovfDescriptor = text.replaceAll(name, `../${name}`)
    await expect(described({ ovfDescriptor })).rejects.toMatchObject({ code: 'PROVIDER_FAILED' })
  })

  it('is refused with all errors of the host; its warnings are noted', async () => {
    const error = described({ error: ['Line 7: Duplicate element.', 'No mapping.'] })
    await expect(error).rejects.toMatchObject({ message: expect.stringMatching(/Line 7: Duplicate element\.; No mapping\./) })
    const { notes } = await described({ warning: ['Device "x" is not supported', 'Another one'] })
    expect(notes).toEqual([expect.stringMatching(/^info HOST_WARNS .*Device "x" is not supported; Another one\.$/)])
  })
})
