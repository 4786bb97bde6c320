import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CollectedItem, diskOfVmdk, memoryRunContext, sourceFrom } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithPeer } from '../../../scripts/peers/test-peers.ts'
import { restoreMachine } from '../src/restore/restore-machine.ts'
import { govc } from './support/govc.ts'
import { openGovmomiHost } from './support/govmomi-host.ts'
import { openAndConnect } from './support/opened-host.ts'
import { backUp, machineWith, sourceOf } from './support/transfer-tests.ts'
import { undoOn } from './support/undo-intents.ts'

const two = machineWith('two', 2)

async function packageOf(items: readonly CollectedItem[], folder: string): Promise<string> {
  let descriptor = ''
  for (const item of items) {
    if (item.type !== 'stream') continue
    if (item.name.endsWith('.ovf')) descriptor = join(folder, item.name)
    await writeFile(join(folder, item.name), item.bytes)
  }
  return descriptor
}

describeWithPeer('govmomi', 'govc', (facts) => {
  const open = (options = {}) => openAndConnect((given) => openGovmomiHost(facts, given), options)
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-govc-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('8: imports a package of ours, compares its sums, and has the same bytes on each disk', async () => {
    await using from = await open({ machines: [two] })
    await using to = await open()
    const { items } = await backUp(from, two.name)
    const own = join(folder, 'ours')
    await mkdir(own)
    await govc(facts, to.host.login, 'import.ovf', '-m', '-name', 'imported', await packageOf(items, own))
    expect(await to.machines()).toEqual(['imported'])
    const disks = await to.host.disksOf('imported')
    expect(disks.map((disk, at) => Buffer.compare(disk, two.disks[at] ?? new Uint8Array()))).toEqual([0, 0])
    expect(Buffer.compare((await to.host.nvramOf('imported')) ?? new Uint8Array(), two.nvram ?? new Uint8Array())).toBe(0)
  })

  it('exports the same disks as we do, and its package is restored by us', async () => {
    await using from = await open({ machines: [two] })
    await using to = await open()
    const theirs = join(folder, 'theirs')
    await govc(facts, from.host.login, 'export.ovf', '-vm', two.name, '-sha', '256', '-i', theirs)
    const names = (await readdir(join(theirs, two.name))).toSorted()
    const files = await Promise.all(names.map(async (name) => ({ name, bytes: await readFile(join(theirs, two.name, name)) })))
    const disks = files.filter(({ name }) => name.endsWith('.vmdk'))
    const own = await backUp(from, two.name)
    expect(disks.map(({ bytes }, at) => Buffer.compare(diskOfVmdk(bytes, two.disks[at]?.length ?? 0), two.disks[at] ?? bytes))).toEqual([
      0, 0,
    ])
    // What it writes into the descriptor as the size of a disk is that of all disks (mode 7 of the failures), so that is put right first.
    const mended = files.map(({ name, bytes }) => ({ name, bytes: name.endsWith('.ovf') ? withTrueSizes(bytes, files) : bytes }))
    const items = mended.map(({ name, bytes }): CollectedItem => ({ type: 'stream', name, format: 'bytes', bytes }))
    const result = { ...own.result, description: { v: 1, descriptor: `${two.name}.ovf`, files: {} } }
    const source = sourceFrom(items, { ...sourceOf(two.name, own.workload), result })
    const memory = memoryRunContext({ provider: undoOn(to.connection) })
    await restoreMachine(to.connection, { purpose: 'recover', name: 'again', start: false, options: {} }, source, memory.run)
    await memory.undoOpen({ committed: true })
    expect((await to.host.disksOf('again')).map((disk, at) => Buffer.compare(disk, two.disks[at] ?? disk))).toEqual([0, 0])
  })
})

function withTrueSizes(descriptor: Uint8Array, files: readonly { readonly name: string; readonly bytes: Uint8Array }[]): Uint8Array {
  const text = Buffer.from(descriptor).toString('utf8')
  const mended = text.replaceAll(/<File [^>]*>/g, (element) => {
    const file = files.find(({ name }) => element.includes(`href="${name}"`))
    return file === undefined ? element : element.replace(/size="\d+"/, `size="${file.bytes.length}"`)
  })
  return Buffer.from(mended)
}
