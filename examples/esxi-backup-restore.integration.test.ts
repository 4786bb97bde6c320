// The example esxi-backup-restore, run as its reader does: with its own simulated hosts, and with one that its command line names.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type EsxiSimulator, startEsxiSimulator } from '@holdfast/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { describeWithPeer } from '../scripts/peers/test-peers.ts'

let temporary = ''
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'holdfast-examples-'))
})
afterEach(() => rm(temporary, { recursive: true, force: true }))

interface Given {
  readonly words?: readonly string[]
  readonly environment?: { readonly [name: string]: string }
  /** What a program writes to it. `undefined`: that takes its time. */
  readonly input?: string | undefined
  /** Interrupts it as soon as this is so. */
  readonly until?: (output: string) => boolean
}

async function runExample(given: Given = {}) {
  const { words = [], environment = {}, input, until } = { input: '', ...given }
  const script = fileURLToPath(new URL('esxi-backup-restore/main.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@holdfast/source', script, ...words], {
    env: { ...process.env, TMPDIR: temporary, ...environment },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  if (input !== undefined) child.stdin.end(input)
  const watch = setInterval(() => {
    if (!until?.(output)) return
    clearInterval(watch)
    child.kill('SIGINT')
  }, 5)
  const [code] = await once(child, 'close').finally(() => clearInterval(watch))
  return { code, output, last: output.trimEnd().split('\n').at(-1) ?? '' }
}

describeWithPeer('qemu-img', 'esxi-backup-restore with simulated hosts', () => {
  test('a machine of three disks goes to another host; sha256sum and qemu-img find no difference', async () => {
    const { code, last, output } = await runExample()
    expect(last, output).toBe('web: identical')
    expect(code).toBe(0)
    expect(output).toMatch(/reading Hard disk 1 of web: \d+ %, [\d.]+ [KM]iB/)
    expect(output).toContain('20 MiB of 80 MiB hold data')
    expect(output.match(/Images are identical/g)).toHaveLength(3)
    expect(output.match(/^ {2}web[\w.-]+: OK$/gm)?.map((line) => line.trim())).toEqual([
      'web.ovf: OK',
      'web-disk-1.vmdk: OK',
      'web-disk-2.vmdk: OK',
      'web-disk-3.vmdk: OK',
      'web.nvram: OK',
    ])
    expect(await readdir(temporary)).toEqual([])
  })
})

describeWithPeer('qemu-img', 'esxi-backup-restore with a host of its user', () => {
  const password = 'of the host: 7'
  let host: EsxiSimulator
  beforeEach(async () => {
    host = await startEsxiSimulator({ password, machines: [{ name: 'shop one', uuid: '4203a1d0-0000-4000-8000-00000000000c' }] })
  })
  afterEach(() => host[Symbol.asyncDispose]())

  const words = () => [
    ...['--url', `https://${host.host}:${host.port}`],
    ...['--user', 'root', '--thumbprint', host.thumbprint(), '--machine', 'shop one'],
  ]

  test.each([
    { from: 'the environment', given: { environment: { ESXI_PASSWORD: password } } },
    { from: 'standard input', given: { input: `${password}\n` } },
  ])('the password comes from $from; the copy is exported again and compared, and nothing but it is left', async ({ given }) => {
    const { code, last, output } = await runExample({ words: words(), ...given })
    expect(last, output).toBe('shop one: identical')
    expect(code).toBe(0)
    expect(output).not.toContain(password)
    expect(host.machines().map(({ name }) => name)).toEqual(['shop one', 'shop one-restored'])
    expect([host.sessions(), host.leases.open.size, await readdir(temporary)]).toEqual([0, 0, []])
  })

  test('a wrong password is told with what to do, and nothing is left', async () => {
    const { code, output } = await runExample({ words: words(), input: 'wrong' })
    expect(code, output).toBe(1)
    expect(output).toMatch(/Check user and password\..* \(ACCESS_DENIED\)/)
    // A host locks an account after five wrong ones.
    expect(host.calls.filter((name) => name === 'Login').length).toBeLessThan(5)
    expect(await readdir(temporary)).toEqual([])
  })

  test('the copy gets the name and the datastore that are given, and the backups lie in the folder that is given', async () => {
    const more = ['--name', 'shop two', '--datastore', 'datastore1', '--folder', temporary]
    const { code, output } = await runExample({ words: [...words(), ...more], input: password, environment: { TMPDIR: '/nowhere' } })
    expect(code, output).toBe(0)
    expect(host.machines().map(({ name }) => name)).toEqual(['shop one', 'shop two'])
    expect(await readdir(temporary)).toEqual([])
  })

  test('an interrupt in the middle of the backup leaves no snapshot, session or file', async () => {
    const machine = host.machine('shop one')
    if (machine === undefined) throw new Error('there is no machine')
    machine.powerState = 'poweredOn'
    const { code, last } = await runExample({ words: words(), input: password, until: () => host.leases.open.size > 0 })
    expect([code, last]).toEqual([130, 'Stopped by SIGINT; what was under way is undone, and the backups are removed.'])
    expect([machine.snapshots, host.sessions(), host.leases.open.size, await readdir(temporary)]).toEqual([[], 0, 0, []])
  })

  test.each([
    { more: [], told: 'There are several datastores. Give --datastore: one of slow, fast' },
    { more: ['--datastore', 'fsat'], told: 'There is no datastore fsat. Give --datastore: one of slow, fast' },
  ])('of several datastores one is asked for before anything is backed up, $more', async ({ more, told }) => {
    await using other = await startEsxiSimulator({
      password,
      machines: [{ name: 'shop one', uuid: '4203a1d0-0000-4000-8000-00000000000d' }],
      datastores: [{ name: 'slow' }, { name: 'fast' }],
    })
    const login = [
      '--url',
      `https://${other.host}:${other.port}`,
      '--user',
      'root',
      '--thumbprint',
      other.thumbprint(),
      '--machine',
      'shop one',
    ]
    const { code, output } = await runExample({ words: [...login, ...more], input: password })
    expect(output).toContain(told)
    expect(code).toBe(2)
    expect(other.calls).not.toContain('ExportVm')
  })

  test.each([
    { what: 'a machine that is not there', more: ['--machine', 'shop'], told: 'There is no machine shop. There are: shop one' },
    { what: 'a folder that is not there', more: ['--folder', '/nowhere'], told: 'No folder can be made in /nowhere' },
    { what: 'a name that is taken', more: ['--name', 'shop one'], told: 'Give the copy another name: --name NAME' },
  ])('$what is told before anything is backed up', async ({ more, told }) => {
    const { code, output } = await runExample({ words: [...words(), ...more], input: password })
    expect(output).toContain(told)
    expect(code).toBe(2)
    expect(host.calls).not.toContain('ExportVm')
    expect(await readdir(temporary)).toEqual([])
  })

  test('without a thumbprint that of the host is shown, and nobody logs in', async () => {
    const { code, output } = await runExample({ words: words().filter((word) => word !== '--thumbprint' && word !== host.thumbprint()) })
    expect(output).toContain(`--thumbprint ${host.thumbprint()}`)
    expect(code).toBe(2)
    expect(host.calls).not.toContain('Login')
  })

  test.each([
    { given: ['--url', 'https://esxi.example'] },
    { given: ['--machine', 'web'] },
    { given: ['--url', 'esxi.example', '--user', 'root', '--machine', 'web'] },
  ])('$given: half of the words are not taken for a host', async ({ given }) => {
    const { code, output } = await runExample({ words: given })
    expect(output).toContain('expected: --url https://HOST --user USER --thumbprint SHA256 --machine NAME')
    expect(output).not.toContain('    at ')
    expect(code).toBe(2)
  })

  test.each(['--help', '-h'])('%s is answered, and no mistake', async (help) => {
    const { code, output } = await runExample({ words: [help] })
    expect(output).toContain('The password comes from ESXI_PASSWORD')
    expect(code).toBe(0)
  })

  test('without a password nobody logs in', async () => {
    const { code, output } = await runExample({ words: words(), environment: { ESXI_PASSWORD: '' } })
    expect(output).toContain('There is no password. Give it in ESXI_PASSWORD, or let a program write it to standard input.')
    expect(code).toBe(2)
    expect(host.calls).not.toContain('Login')
  })

  test('an interrupt while the password is waited for ends it', async () => {
    const { code } = await runExample({ words: words(), input: undefined, until: (output) => output.includes('is read from') })
    expect(code).toBe(130)
  })
})
