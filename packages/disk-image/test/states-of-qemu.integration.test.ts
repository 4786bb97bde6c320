import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { clusterBytes, fileBlocks, openQcow2 } from '@holdfast/disk-image'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithPeer } from '../../../scripts/peers/test-peers.ts'
import { failure, options, readAll } from './support.ts'

const run = promisify(execFile)
const size = 4 * 2 ** 20

describeWithPeer('qemu-img', 'an image that QEMU left in a special state', ({ path: qemu }) => {
  let folder = ''
  let image = ''
  const io = join(dirname(qemu), 'qemu-io')
  const expected = Buffer.alloc(size)
  expected.fill(5, 0, 3 * clusterBytes)
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'disk-image-states-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const create = async (name: string, ...flags: string[]) => {
    image = join(folder, `${name}.qcow2`)
    await run(qemu, ['create', '-q', '-f', 'qcow2', ...flags, image, String(size)])
  }
  const write = () => run(io, ['-f', 'qcow2', '-c', `write -q -P 5 0 ${3 * clusterBytes}`, image])
  const opened = async () => openQcow2(await fileBlocks(image, options), options)
  const expectRead = async () => {
    const layer = await opened()
    const bytes = await readAll(layer)
    await layer[Symbol.asyncDispose]()
    expect(bytes.equals(expected)).toBe(true)
  }

  it('is read: dirty, because its program was killed while refcounts were lazy', async () => {
    await create('dirty', '-o', 'lazy_refcounts=on')
    const { signal } = spawnSync(io, ['-f', 'qcow2', '-c', `write -q -P 5 0 ${3 * clusterBytes}`, '-c', 'flush', '-c', 'abort', image])
    expect(signal).toBe('SIGABRT')
    const { stdout } = await run(qemu, ['info', '--output=json', '-U', image])
    expect(JSON.parse(stdout)['dirty-flag']).toBe(true)
    await expectRead()
  })

  it('is read: with a persistent bitmap', async () => {
    await create('bitmap')
    await run(qemu, ['bitmap', '--add', image, 'changes'])
    await write()
    await expectRead()
  })

  it.each(['1', '8', '64'])('is read: with refcounts of %s bits', async (bits) => {
    await create(`refcount-${bits}`, '-o', `refcount_bits=${bits}`)
    await write()
    await expectRead()
  })

  it.each(['metadata', 'falloc', 'full'])('is read: preallocated, %s', async (mode) => {
    await create(`preallocated-${mode}`, '-o', `preallocation=${mode}`)
    await write()
    await expectRead()
  })

  it('is read: after a snapshot was made and deleted', async () => {
    await create('snapshot-gone')
    await write()
    await run(qemu, ['snapshot', '-c', 'one', image])
    await run(qemu, ['snapshot', '-d', 'one', image])
    await expectRead()
  })

  it('is refused by name: with an internal snapshot', async () => {
    await create('snapshot')
    await run(qemu, ['snapshot', '-c', 'one', image])
    expect(await failure(opened)).toMatchObject({ code: 'UNSUPPORTED_FORMAT', message: expect.stringContaining('snapshot') })
  })

  it('is refused by name: with an external data file', async () => {
    await create('external', '-o', `data_file=${join(folder, 'external.raw')}`)
    expect(await failure(opened)).toMatchObject({ code: 'UNSUPPORTED_FORMAT', message: expect.stringContaining('external data file') })
  })

  it('is refused by name: encrypted', async () => {
    const secret = join(folder, 'secret')
    await writeFile(secret, 'only for this test')
    await create('encrypted', '--object', `secret,id=key,file=${secret}`, '-o', 'encrypt.format=aes,encrypt.key-secret=key')
    expect(await failure(opened)).toMatchObject({ code: 'UNSUPPORTED_FORMAT', message: expect.stringContaining('encryption') })
  })
})
