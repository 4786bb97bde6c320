// The code of docs/guide/export-an-ova.md, run as it is printed there.
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, localRepository, systemClock } from '@holdfast/core'
import { createProgressMeter, httpPut, openOffline } from '@holdfast/core/offline'
import type { Machine, Provider } from '@holdfast/core/spec'
import { openOva } from '@holdfast/provider-esxi'
import { sqlite } from '@holdfast/store-sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { diskFiles } from './02-disk-files/disk-files-provider.ts'

let root = ''
let repository = ''
const printed: string[] = []
const print = (text: string) => void printed.push(text)
const signal = AbortSignal.timeout(3_600_000)
const shop = { provider: 'disks', id: 'shop' }
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

const machine: Machine = {
  name: 'shop',
  cpus: 2,
  memoryBytes: 2 ** 31,
  firmware: 'bios',
  guest: { family: 'linux' },
  disks: [{ key: 'disk', bus: 'virtio' }],
  networks: [{ name: 'lan' }],
}

/** The provider of disk files, which says of what machine they are. */
function machines(folder: string): Provider {
  const provider = diskFiles({ folder })
  return { ...provider, backup: async (request, sink, run) => ({ ...(await provider.backup(request, sink, run)), machine }) }
}

/** A full and an increment of the disk of a machine, and no engine any more. */
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-export-'))
  repository = join(root, 'backups')
  printed.length = 0
  await mkdir(join(root, 'disks'))
  await writeFile(join(root, 'disks', 'shop.img'), Buffer.alloc(2 ** 21, 'a shop'))
  const engine = await createEngine({
    name: 'shop-backup',
    store: sqlite({ file: join(root, 'catalog.db') }),
    repositories: { main: localRepository({ folder: repository }) },
    providers: { disks: machines(join(root, 'disks')) },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [shop] } },
  })
  await engine.start()
  for (const night of [1, 2]) {
    const file = await open(join(root, 'disks', 'shop.img'), 'r+')
    await file.write(`night ${night}`, night * 2 ** 18)
    await file.close()
    await engine.runPlan('nightly')
  }
  await engine.stop()
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function openNewest() {
  const folder = repository
  // #region open
  const clock = systemClock
  const meter = createProgressMeter({ clock, onChange: () => print(meter.snapshot().text) })
  const offline = await openOffline({ repository: localRepository({ folder }), clock, signal })
  const newest = offline.points.find(({ workload, state }) => workload.id === 'shop' && state === 'good')
  if (newest === undefined) throw new Error('there is no good point of shop')
  const { source } = await offline.open(newest, { signal, meter })
  const ova = await openOva(source, { signal, modifiedAt: newest.createdAt })
  for (const { name, size } of ova.entries) print(`${name}: ${size} bytes`)
  // #endregion open
  return ova
}

test('a point of a chain becomes a file', async () => {
  const target = root
  const ova = await openNewest()
  // #region file
  const file = await open(join(target, ova.name), 'wx')
  try {
    for await (const chunk of ova.open({ signal })) await file.appendFile(chunk) // done with the chunk when it resolves
    await file.sync()
    print(`${ova.name}: ${ova.size} bytes, and every hash matched`)
  } finally {
    await file.close()
    await ova[Symbol.asyncDispose]()
  }
  // #endregion file
  const bytes = await readFile(join(root, 'shop.ova'))
  expect(bytes.length).toBe(ova.size)
  expect(printed).toContain(`shop.ova: ${bytes.length} bytes, and every hash matched`)
  expect(printed.filter((line) => /^shop[\w.-]+: \d+ bytes$/.test(line)).map((line) => line.split(':')[0])).toEqual([
    'shop.ovf',
    'shop-disk-1.vmdk',
    'shop.mf',
  ])
})

test('it goes to a server with its exact length', async () => {
  const taken: { length: string | undefined; bytes: number; sha256: string }[] = []
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const body = Buffer.concat(parts)
    taken.push({ length: request.headers['content-length'], bytes: body.length, sha256: sha256(body) })
    response.writeHead(201).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/shop.ova`
  const clock = systemClock
  const ova = await openNewest()
  // #region put
  try {
    await httpPut(address, ova, { clock, signal })
  } finally {
    await ova[Symbol.asyncDispose]()
  }
  // #endregion put
  server.close()
  const again = await openNewest()
  const hash = createHash('sha256')
  for await (const chunk of again.open({ signal })) hash.update(chunk)
  await again[Symbol.asyncDispose]()
  expect(taken).toEqual([{ length: `${ova.size}`, bytes: ova.size, sha256: hash.digest('hex') }])
})
