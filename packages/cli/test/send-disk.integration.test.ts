import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { describeWithPeers } from '../../../scripts/peers/test-peers.ts'
import { type MadePoint, type MadeRepository, makeRepository } from './make-repository.ts'
import { bundledHoldfast, type Ended, fingerprint, runProgram, temporaryFolders } from './run-command.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261206)
const folders = temporaryFolders()
const clusters = 40
const diskBytes = clusters * 65_536
let made: MadeRepository
let repository = ''
let program = ''
let holdfast: Awaited<ReturnType<typeof bundledHoldfast>>

beforeAll(async () => {
  const bundle = await folders.fresh()
  holdfast = await bundledHoldfast(bundle)
  program = join(bundle, 'holdfast.mjs')
  repository = await mkdtemp(join(tmpdir(), 'holdfast-cli-send-'))
  made = await makeRepository(repository, { seed, clusters })
})
afterAll(() => rm(repository, { recursive: true, force: true }))

const id = (points: readonly MadePoint[], at: number): string => points.at(at)?.id ?? ''
const bytesOf = (points: readonly MadePoint[], at: number, name: string) => Buffer.from(points.at(at)?.contents.get(name) ?? [])
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** The command in a shell; what stands behind it gets its standard output. Exit code of the command itself. */
const piped = (behind: string, words: readonly string[], options?: Parameters<typeof runProgram>[2]): Promise<Ended> =>
  runProgram('bash', ['-c', `"$0" "$@" ${behind}; exit "\${PIPESTATUS[0]}"`, process.execPath, program, ...words], options)
const restore = (point: string, ...more: readonly string[]) => ['restore', repository, point, ...more]

async function fresh(name: string): Promise<string> {
  return join(await folders.fresh(), name)
}

/** A copy of the repository in which the data of a disk of a point is damaged: near its end, or in every cluster. */
async function damagedCopy(point: string, name: string, everywhere = false): Promise<{ readonly copy: string; readonly file: string }> {
  const copy = await folders.copyOf(repository)
  const entries = await readdir(copy, { recursive: true })
  const file = entries.find((path) => path.includes(`/${point}/`) && path.endsWith(name)) ?? ''
  const bytes = await readFile(join(copy, file))
  const manifest = JSON.parse(await readFile(join(copy, file, '../../manifest.1.json'), 'utf8'))
  const least: number = everywhere ? manifest.items[0].metadata.size : bytes.length - 70_000
  for (let at = bytes.length - (everywhere ? 100 : 70_000); at >= least; at -= 65_536) bytes[at] = (bytes[at] ?? 0) ^ 1
  await writeFile(join(copy, file), bytes)
  return { copy, file }
}

/** Takes what is put, and says what it got. */
async function receiver(status = 201, text = '') {
  const seen: {
    path: string | undefined
    length: string | undefined
    authorization: string | undefined
    sha256: string
    complete: boolean
  }[] = []
  const server = createServer(async (request, response) => {
    const hash = createHash('sha256')
    await request.forEach((chunk: Buffer) => void hash.update(chunk)).catch(() => {})
    const { url: path, headers, complete } = request
    seen.push({ path, length: headers['content-length'], authorization: headers.authorization, sha256: hash.digest('hex'), complete })
    response.writeHead(status).end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

describe(`one disk to the standard output (seed ${seed})`, () => {
  it.each([0, 1, 2])('is the disk, byte for byte, at point %i of its chain; its length is told first', async (at) => {
    const disk = bytesOf(made.chain, at, 'disk-1')
    for (const behind of ['>', '| cat >']) {
      const file = await fresh('disk.raw')
      const ended = await piped(`${behind} '${file}'`, restore(id(made.chain, at), '--disk', 'disk-1', '--format', 'raw', '--to', '-'))
      expect(ended.stderr).toBe(
        `Disk "disk 1" (disk-1) as raw, ${disk.length} bytes, to the standard output\n${disk.length} bytes sent. Every hash matched.\n`,
      )
      expect(ended).toMatchObject({ code: 0, stdout: '' })
      expect(sha256(await readFile(file))).toBe(sha256(disk))
    }
  })

  it('is the disk of a machine that was kept as an export, too', async () => {
    const file = await fresh('disk.raw')
    expect(await piped(`> '${file}'`, restore(id(made.vmdk, 1), '--format', 'raw', '--to', '-'))).toMatchObject({ code: 0 })
    const [name] = [...(made.vmdk.at(1)?.contents.keys() ?? [])].filter((each) => each.includes('disk'))
    expect(sha256(await readFile(file))).toBe(sha256(bytesOf(made.vmdk, 1, name ?? '?')))
  })

  it('whose reader goes away is an error, not a success', async () => {
    const ended = await piped(
      '| head -c 100000 > /dev/null',
      restore(id(made.chain, 2), '--disk', 'disk-0', '--format', 'raw', '--to', '-'),
    )
    expect(ended.code).toBe(2)
    const [, least, most] =
      /INCOMPLETE: it ended between byte (\d+) and byte (\d+) of \d+\. What came there is not the disk/.exec(ended.stderr) ?? []
    expect(Number(least), ended.stderr).toBeLessThanOrEqual(diskBytes)
    expect(Number(most), 'the reader took as many bytes').toBeGreaterThanOrEqual(100_000)
    expect(Number(most)).toBeLessThanOrEqual(diskBytes)
    expect(ended.stderr).toContain('whoever reads the standard output has closed it before the end (PROVIDER_FAILED)')
    expect(ended.stderr).not.toContain('Every hash matched')
  })

  it('on a full disk is an error', async () => {
    const ended = await piped('> /dev/full', restore(id(made.chain, 2), '--disk', 'disk-0', '--to', '-'))
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot write the standard output: no space is left there') })
  })

  it('for which the last bytes have no room is an error', async () => {
    const file = await fresh('disk.raw')
    const words = restore(id(made.chain, 2), '--disk', 'disk-0', '--format', 'raw', '--to', '-')
    const script = `ulimit -f ${diskBytes / 1024 - 1}; "$0" "$@" > '${file}'`
    const ended = await runProgram('bash', ['-c', script, process.execPath, program, ...words])
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot write the standard output') })
    expect(ended.stderr).toContain('INCOMPLETE')
    expect((await stat(file)).size).toBe(diskBytes - 1024)
  })

  it('that is damaged ends with 1, after nothing but good bytes, and says what is damaged', async () => {
    const { copy, file } = await damagedCopy(id(made.chain, 0), 'disk-0.qcow2')
    const out = await fresh('disk.raw')
    const ended = await piped(`> '${out}'`, ['restore', copy, id(made.chain, 0), '--disk', 'disk-0', '--format', 'raw', '--to', '-'])
    expect(ended.code, ended.stderr).toBe(1)
    expect(ended.stderr).toContain(`bytes of ${diskBytes}. What came there is not the disk: throw it away.`)
    expect(ended.stderr).toContain(`${file}: the cluster at guest offset`)
    expect(ended.stderr).toContain('(CHECKSUM_MISMATCH)')
    const got = await readFile(out)
    expect(got.length).toBeLessThan(diskBytes)
    expect(got.equals(bytesOf(made.chain, 0, 'disk-0').subarray(0, got.length))).toBe(true)
  })

  it('ends with 130 after Ctrl-C, also while nobody reads', async () => {
    const words = restore(id(made.chain, 2), '--disk', 'disk-0', '--format', 'raw', '--to', '-')
    const script = `cd "$D"; mkfifo f; exec 3<>f; "$0" "$@" > f 2> told & head -c 1 <&3 > first; kill -INT $!; wait $!`
    const folder = await folders.fresh()
    const ended = await runProgram('env', [`D=${folder}`, 'bash', '-mc', script, process.execPath, program, ...words])
    const told = await readFile(join(folder, 'told'), 'utf8')
    expect(told).toContain('Interrupted. (ABORTED)')
    expect(told).toContain('INCOMPLETE')
    expect(ended.code).toBe(130)
  })
})

describe('one disk by HTTP PUT', () => {
  it('arrives with its exact length; user, password and query are not shown', async () => {
    const { host, seen } = await receiver()
    const words = restore(
      id(made.chain, 2),
      '--disk',
      'disk-0',
      '--format',
      'raw',
      '--to',
      `http://me:canary@${host}/images/web.raw?sig=canary`,
    )
    const ended = await holdfast([...words, '--json'])
    expect(ended.code, ended.stderr).toBe(0)
    expect(`${ended.stdout}${ended.stderr}`).not.toContain('canary')
    expect(seen).toEqual([
      {
        path: '/images/web.raw?sig=canary',
        length: `${diskBytes}`,
        authorization: `Basic ${Buffer.from('me:canary').toString('base64')}`,
        sha256: sha256(bytesOf(made.chain, 2, 'disk-0')),
        complete: true,
      },
    ])
    expect(JSON.parse(ended.stdout)).toEqual({
      repository: { folder: repository, repositoryId: expect.any(String), owner: 'store1' },
      point: id(made.chain, 2),
      workload: 'ovirt/vm-1',
      disk: { key: 'disk-0', name: 'disk 0', size: diskBytes },
      format: 'raw',
      to: `http://${host}/images/web.raw`,
      bytes: diskBytes,
      status: 201,
      warnings: [],
    })
  })

  it('that is damaged is cut, so that the server never has it whole', async () => {
    const { copy } = await damagedCopy(id(made.chain, 0), 'disk-0.qcow2')
    for (const format of ['raw', 'qcow2', 'vmdk', 'vmdk-stored']) {
      const { host, seen } = await receiver()
      const ended = await holdfast(['restore', copy, id(made.chain, 0), '--disk', 'disk-0', '--format', format, '--to', `http://${host}/`])
      expect(ended, format).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('CHECKSUM_MISMATCH') })
      expect(seen).toEqual([expect.objectContaining({ complete: false })])
    }
  })

  it('that the server refuses ends with 2 and what the server says', async () => {
    const { host } = await receiver(507, `no room ${'!'.repeat(400)}`)
    const ended = await holdfast(restore(id(made.chain, 2), '--disk', 'disk-0', '--to', `http://${host}/`))
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain(`PUT http://${host}/: the server answered 507: no room ${'!'.repeat(192)} (PROVIDER_FAILED)`)
    const [, bytes] = /^NOT TAKEN: all (\d+) bytes were sent, but the server refused them\./m.exec(ended.stderr) ?? []
    expect(Number(bytes), ended.stderr).toBeGreaterThan(0)
    expect(ended.stderr).toContain(`as qcow2, ${bytes} bytes, to`)
    expect(ended.stderr).not.toMatch(/INCOMPLETE|Nothing of the disk/)
  })

  it('that the server has whole, and then says nothing of it, is not confirmed', async () => {
    const server = createServer((request) => void request.resume().on('end', () => request.socket.destroy()))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const ended = await holdfast(restore(id(made.chain, 2), '--disk', 'disk-0', '--format', 'vmdk', '--to', address))
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('the connection broke') })
    expect(ended.stderr).toMatch(/^NOT CONFIRMED: all \d+ bytes were sent, but the server did not say that it has them\./m)
  })

  it('that is refused before the first byte, or whose first bytes are damaged: nothing was sent', async () => {
    const server = createServer().on('checkContinue', (_, response) => response.writeHead(507, { connection: 'close' }).end('full'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const refused = await holdfast(restore(id(made.chain, 2), '--disk', 'disk-0', '--format', 'raw', '--to', address))
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/^Nothing of the disk was sent\.\n/m) })
    expect(refused.stderr).toContain('the server answered 507: full')
    const { host, seen } = await receiver()
    const { copy } = await damagedCopy(id(made.chain, 0), 'disk-0.qcow2', true)
    const words = ['restore', copy, id(made.chain, 0), '--disk', 'disk-0', '--format', 'raw', '--to']
    const damaged = await holdfast([...words, `http://${host}/`])
    expect(damaged).toMatchObject({ code: 1, stderr: expect.stringMatching(/^Nothing of the disk was sent\.\n/m) })
    expect(seen).toEqual([expect.objectContaining({ complete: false })])
    const out = await fresh('disk.raw')
    const piece = await piped(`> '${out}'`, [...words, '-'])
    expect(piece).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Nothing of the disk was sent: a file behind the ">" is empty.'),
    })
    expect((await stat(out)).size).toBe(0)
  })
})

describe('one disk to an address', () => {
  it('where nobody answers ends with 2, and there is nothing to throw away', async () => {
    const ended = await holdfast(restore(id(made.chain, 2), '--disk', 'disk-0', '--to', 'http://me:canary@127.0.0.1:1/web.raw'))
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toContain('Nothing of the disk was sent.\n')
    expect(ended.stderr).toContain('PUT http://127.0.0.1:1/web.raw: nobody answers at 127.0.0.1:1 (ECONNREFUSED) (PROVIDER_FAILED)')
    expect(ended.stderr).not.toMatch(/canary|INCOMPLETE|throw it away/)
  })
})

describe('wrong usage', () => {
  it.each([
    [['--to', '-', '--into', 'x'], '--into and --to are two places'],
    [['--to', '-', '--extract'], '--extract unpacks archives'],
    [['--to', '-', '--json'], 'no place for JSON'],
    [['--to', 'ftp://me:canary@host/'], '--to takes - for the standard output'],
    [['--to', 'canary.raw'], 'For a file write "--to - > FILE", for a folder use --into.'],
    [['--to', '-'], 'holds 2 disks. Which one?'],
    [['--to', '-', '--disk', 'disk-7'], 'There are: disk-0 (disk 0), disk-1 (disk 1).'],
    [['--into', '/nowhere/at/all', '--disk', 'disk-7'], 'has no disk "disk-7"'],
  ])('%j ends with 2 and nothing is sent', async (words, message) => {
    const ended = await holdfast(restore(id(made.chain, 2), ...words))
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining(message) })
    expect(ended.stderr).not.toContain('canary')
    if (!words.includes('--json')) expect(ended.stdout).toBe('')
  })

  it('a point without a disk has nothing to send', async () => {
    const ended = await holdfast(restore(id(made.volume, 2), '--to', '-'))
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('holds no disk, and only disks are sent') })
  })
})

describeWithPeers(['qemu-img'], 'qemu-img', ({ 'qemu-img': qemu }) => {
  const formats = [
    ['qcow2', 'qcow2'],
    ['vmdk', 'vmdk'],
    ['vmdk-stored', 'vmdk'],
  ] as const

  it.each(formats)('finds a disk that was sent as %s equal to what it held, and so one in a file', async (format, theirs) => {
    const before = await fingerprint(repository)
    for (const at of [0, 1, 2]) {
      const [sent, original, into] = [await fresh('sent'), await fresh('original.raw'), await fresh('into')]
      await writeFile(original, bytesOf(made.chain, at, 'disk-0'))
      const ended = await piped(`| cat > '${sent}'`, restore(id(made.chain, at), '--disk', 'disk-0', '--format', format, '--to', '-'))
      expect(ended.code, ended.stderr).toBe(0)
      const length = format === 'vmdk' ? 'a length that is known at its end' : `${(await stat(sent)).size} bytes`
      expect(ended.stderr).toContain(`as ${format}, ${length}, to`)
      expect(ended.stderr).toContain(`${(await stat(sent)).size} bytes sent.`)
      expect(await holdfast(restore(id(made.chain, at), '--disk', 'disk-0', '--format', format, '--into', into))).toMatchObject({ code: 0 })
      expect(await readdir(into)).toEqual([`disk-0.${theirs}`])
      for (const file of [sent, join(into, `disk-0.${theirs}`)])
        expect((await runProgram(qemu.path, ['compare', '-f', theirs, '-F', 'raw', file, original])).stdout).toContain(
          'Images are identical',
        )
    }
    expect(await fingerprint(repository), 'nothing was written into the repository').toBe(before)
  })
})
