// The code of docs/guide/stream-a-disk.md, run as it is printed there.
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, localRepository, systemClock } from '@holdfast/core'
import { createProgressMeter, httpPut, type OpenPoint, openOffline } from '@holdfast/core/offline'
import { rawExtents } from '@holdfast/disk-image'
import { sqlite } from '@holdfast/store-sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { diskFiles } from './02-disk-files/disk-files-provider.ts'

let root = ''
let repository = ''
const printed: string[] = []
const print = (text: string) => void printed.push(text)
const shop = { provider: 'disks', id: 'shop' }
const image = () => join(root, 'disks', 'shop.img')
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** A full and two increments of a disk image, and no engine any more. */
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-stream-'))
  repository = join(root, 'backups')
  printed.length = 0
  await mkdir(join(root, 'disks'))
  const disk = Buffer.alloc(2 ** 22 + 1000)
  disk.fill('a shop', 2 ** 16, 5 * 2 ** 16)
  await writeFile(image(), disk)
  const engine = await createEngine({
    name: 'shop-backup',
    store: sqlite({ file: join(root, 'catalog.db') }),
    repositories: { main: localRepository({ folder: repository }) },
    providers: { disks: diskFiles({ folder: join(root, 'disks') }) },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [shop] } },
  })
  await engine.start()
  for (const night of [1, 2, 3]) {
    const file = await open(image(), 'r+')
    await file.write(`night ${night}`, night * 2 ** 18)
    await file.close()
    await engine.runPlan('nightly')
  }
  await engine.stop()
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function openNewest(): Promise<OpenPoint> {
  const folder = repository
  // #region open
  const signal = AbortSignal.timeout(3_600_000)
  const clock = systemClock
  const meter = createProgressMeter({ clock, onChange: () => print(meter.snapshot().text) })
  const offline = await openOffline({ repository: localRepository({ folder }), clock, signal })
  const newest = offline.points.find(({ workload, state }) => workload.id === 'shop' && state === 'good')
  if (newest === undefined) throw new Error('there is no good point of shop')
  const point = await offline.open(newest, { signal, meter })
  for (const { key, name, size } of point.source.disks) print(`${key}: ${name}, ${size} bytes`)
  // #endregion open
  return point
}

/** What a server was sent. */
async function imageServer() {
  const taken: { readonly length: string | undefined; readonly sha256: string; readonly complete: boolean }[] = []
  const server = createServer(async (request, response) => {
    const hash = createHash('sha256')
    await request.forEach((chunk: Buffer) => void hash.update(chunk)).catch(() => undefined)
    taken.push({ length: request.headers['content-length'], sha256: hash.digest('hex'), complete: request.complete })
    response.writeHead(201).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    taken,
    address: `http://127.0.0.1:${port}/shop.raw`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

test('a disk goes to a server with its exact length', async () => {
  const point = await openNewest()
  const { address, taken, close } = await imageServer()
  const signal = AbortSignal.timeout(60_000)
  const clock = systemClock
  // #region put
  const stream = await point.streamDisk('disk', { format: 'raw', signal }) // or 'qcow2', 'vmdk', 'vmdk-stored'
  try {
    print(`sending ${stream.size} bytes`)
    await httpPut(address, stream, { clock, signal })
  } finally {
    await stream[Symbol.asyncDispose]()
  }
  // #endregion put
  close()
  const disk = await readFile(image())
  expect(taken).toEqual([{ length: `${disk.length}`, sha256: sha256(disk), complete: true }])
  expect(printed[0]).toBe(`disk: shop, ${disk.length} bytes`)
  expect(printed).toContain(`sending ${disk.length} bytes`)
})

test('a damaged disk never is a whole upload', async () => {
  const point = await openNewest()
  const { address, taken, close } = await imageServer()
  const entries = await readdir(repository, { recursive: true })
  const full = entries.filter((path) => path.endsWith('disk-0.qcow2')).sort()[0] ?? ''
  const bytes = await readFile(join(repository, full))
  bytes[bytes.length - 40_000] = 1
  await writeFile(join(repository, full), bytes)
  const signal = AbortSignal.timeout(60_000)
  const stream = await point.streamDisk('disk', { format: 'raw', signal })
  await expect(httpPut(address, stream, { clock: systemClock, signal })).rejects.toMatchObject({
    code: 'CHECKSUM_MISMATCH',
    message: expect.stringContaining(full),
  })
  await stream[Symbol.asyncDispose]()
  close()
  expect(taken.filter(({ complete }) => complete)).toEqual([])
})

test('a disk goes into a program of your own', async () => {
  const point = await openNewest()
  const signal = AbortSignal.timeout(60_000)
  const hash = createHash('sha256')
  const tape = { write: async (chunk: Uint8Array) => void hash.update(chunk) }
  // #region own
  const stream = await point.streamDisk('disk', { format: 'raw', signal })
  try {
    for await (const chunk of stream.open({ signal })) await tape.write(chunk) // done with the chunk when it resolves
    print('whole, and every hash matched')
  } finally {
    await stream[Symbol.asyncDispose]()
  }
  // #endregion own
  expect(hash.digest('hex')).toBe(sha256(await readFile(image())))
  expect(printed).toContain('whole, and every hash matched')
})

test('a disk goes where it can be written by position, without its zeros', async () => {
  const point = await openNewest()
  const signal = AbortSignal.timeout(60_000)
  const path = join(root, 'copy.raw')
  // #region positions
  const [disk] = point.source.disks
  if (disk === undefined) throw new Error('the point has no disk')
  const blocks = await disk.open({ signal })
  const file = await open(path, 'wx')
  try {
    await file.truncate(blocks.size)
    for await (const { offset, bytes } of rawExtents(blocks, { signal }))
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done)
        done += bytesWritten
      }
    await file.sync()
  } finally {
    await file.close()
    await blocks[Symbol.asyncDispose]()
  }
  // #endregion positions
  expect(sha256(await readFile(path))).toBe(sha256(await readFile(image())))
  const { blocks: sectors, size } = await stat(path)
  expect(sectors * 512).toBeLessThan(size / 2)
})
