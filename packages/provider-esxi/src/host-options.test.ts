import { expect, it } from 'vitest'
import { parseBackupOptions } from './backup/backup-options.ts'
import { parseHostOptions } from './host-options.ts'
import { readHostCertificate } from './vim25/pinned-agent.ts'

const login = { host: 'vcenter.lab', user: 'backup', password: 'secret' }
const mapped = (hostMap: { readonly [name: string]: string }) => parseHostOptions({ ...login, hostMap }).hostMap

it('knows the hosts of hostMap in whatever case they are written', () => {
  expect(mapped({ 'ESX7.Lab': '10.0.0.7:8443' })).toEqual({ 'esx7.lab': '10.0.0.7:8443' })
})

it.each(['10.0.0.7', '10.0.0.7:8443', 'esx7.internal', '[fd00::7]:8443', '[fe80::1%eth0]:443', 'fd00::7'])('takes the address %s', (at) => {
  expect(mapped({ 'esx7.lab': at })).toEqual({ 'esx7.lab': at })
})

it.each([
  '',
  'https://10.0.0.7',
  '10.0.0.7/sdk',
  'root@10.0.0.7',
  '10.0.0.7:',
  '10.0.0.7:443:443',
  '10.0.0.7:0',
  '10.0.0.7:65536',
  'ten sevens',
  '[::::]:1',
  '10.0.0.7?x#y',
])('refuses the address "%s" before anything is asked for', (at) => {
  expect(() => mapped({ 'esx7.lab': at })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining('hostMap') }),
  )
})

it('refuses an empty password before anything is asked for', () => {
  expect(() => parseHostOptions({ ...login, password: '' })).toThrow(
    'esxi: password is (hidden): it is empty; expected the password of the user',
  )
})

it('refuses a host that is there twice', () => {
  expect(() => mapped({ A: '1.1.1.1', a: '2.2.2.2' })).toThrow(/the same host is there twice/)
})

it.each(['', 'esx7.lab:443', 'https://esx7.lab'])('refuses the name "%s" before anything is asked for', (name) => {
  const message = expect.stringContaining('the name of a host, without scheme and port')
  expect(() => mapped({ [name]: '10.0.0.7' })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS', message }))
})

it('tells where an experimental option belongs', () => {
  expect(() => parseBackupOptions({ changedAreas: true })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS', remedy: 'It is experimental: write experimental: { changedAreas: true }.' }),
  )
})

it.each([
  ['https://esx1.lab:443', 'without scheme, user, path and spaces'],
  ['esx1.lab ', 'without scheme, user, path and spaces'],
  ['esx1.lab:8443', 'its port goes into "port"'],
  ['[::1]', 'without brackets'],
])('tells what is wrong with the host "%s", once', (host, problem) => {
  const problems = /^esxi: host is "[^"]*": (expected (?:(?!expected).)*)$/
  expect(() => parseHostOptions({ ...login, host })).toThrow(problems)
  expect(() => parseHostOptions({ ...login, host })).toThrow(problem)
})

it.each(['https://esx1.lab', '', 'esx1.lab/ui', 'esx1.lab:443'])('reads no certificate of "%s"', async (host) => {
  await expect(readHostCertificate(host, 443, { signal: new AbortController().signal })).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
    message: expect.stringContaining(`readHostCertificate: host is ${JSON.stringify(host)}: expected`),
  })
})

it.each([0, 65_536, 1.5, Number.NaN])('reads no certificate at the port %d', async (port) => {
  const reading = readHostCertificate('esx1.lab', port, { signal: new AbortController().signal })
  await expect(reading).rejects.toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining('port is') })
})

it('reads no certificate of a host that was not given', async () => {
  const missing = undefined as unknown as string
  const reading = readHostCertificate(missing, 443, { signal: new AbortController().signal })
  await expect(reading).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
})
