import { describe, expect, it } from 'vitest'
import { type DescriptorName, descriptorOf } from '../../test/support/ovf-descriptors.ts'
import { parseOvf } from './parse-ovf.ts'
import { withoutEmptyDisks } from './without-empty-disks.ts'

const names: readonly DescriptorName[] = ['vcenter', 'virtualbox', 'govc']

describe('a descriptor', () => {
  it.each(names)('of %s whose disks all have files stays as it is', (name) => {
    expect(withoutEmptyDisks(descriptorOf(name), name)).toBe(descriptorOf(name))
  })

  it('of ovftool loses its empty disk, the device of that, and nothing else', () => {
    const before = parseOvf(descriptorOf('ovftool'), { what: 'ovftool' })
    expect(before.disks.map(({ fileRef }) => fileRef === undefined)).toEqual([false, true])
    const text = withoutEmptyDisks(descriptorOf('ovftool'), 'ovftool')
    const after = parseOvf(text, { what: 'ovftool' })
    expect(after.disks).toEqual(before.disks.slice(0, 1))
    expect(text).not.toContain('vmdisk2')
    const ours = descriptorOf('ovftool').split('\n')
    const lost = ours.filter((line) => !text.split('\n').includes(line))
    expect(lost.join('\n')).not.toMatch(/vmdisk1|Network|Envelope/)
  })

  it.each(names)('of %s loses a disk whose file is taken away', (name) => {
    const before = parseOvf(descriptorOf(name), { what: name })
    const last = before.disks.at(-1)
    const emptied = descriptorOf(name).replace(/(<[\w:]*Disk\b[^>]*?)\s[\w:]*fileRef="([^"]*)"/g, (tag, rest: string, ref: string) =>
      ref === last?.fileRef ? rest : tag,
    )
    const after = parseOvf(withoutEmptyDisks(emptied, name), { what: name })
    expect(after.disks).toEqual(before.disks.slice(0, -1))
    expect(after.machine).toMatchObject({ cpus: before.machine.cpus, memoryBytes: before.machine.memoryBytes })
  })
})
