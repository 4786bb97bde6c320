import { expect, it } from 'vitest'
import { parseBackupOptions } from './backup/backup-options.ts'
import { parseHostOptions } from './host-options.ts'
import { readHostCertificate } from './vim25/pinned-agent.ts'

const login = { host: 'vcenter.lab', user: 'backup', password: 'secret' }
const mapped = (hostMap: { readonly [name: string]: string }) => parseHostOptions({ ...login, hostMap }).hostMap

it('knows the hosts of hostMap in whatever case they are written', () => {
  expect(mapped({ 'ESX7.Lab': '10.0.0.7:8443' })).toEqual({ 'esx7.lab': '10.0.0.7:8443' })
})

it.each(['10.0.0.7', '10.0.0.7:8443', 'esx7.internal', '[fd00::7]:8443', 'fd00::7'])('takes the address %s', (at) => {
  expect(mapped({ 'esx7.lab': at })).toEqual({ 'esx7.lab': at })
})

it.each(['', 'https://10.0.0.7', '10.0.0.7/sdk', 'root@10.0.0.7', '10.0.0.7:', '10.0.0.7:443:443', 'ten sevens'])(
  'refuses the address "%s" before anything is asked for',
  (at) => {
    expect(() => mapped({ 'esx7.lab': at })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining('hostMap') }),
    )
  },
)

it.each(['', 'esx7.lab:443', 'https://esx7.lab'])('refuses the name "%s" before anything is asked for', (name) => {
  expect(() => mapped({ [name]: '10.0.0.7' })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
})

it('tells where an experimental option belongs', () => {
  expect(() => parseBackupOptions({ changedAreas: true })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS', remedy: 'It is experimental: write experimental: { changedAreas: true }.' }),
  )
})

it.each(['https://esx1.lab', '', 'esx1.lab/ui'])('reads no certificate of "%s"', async (host) => {
  await expect(readHostCertificate(host, 443, { signal: new AbortController().signal })).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
    remedy: 'Leave out the scheme and the path: "esxi.example".',
  })
})
