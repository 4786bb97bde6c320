import { describe, expect, it } from 'vitest'
import { parseHostOptions } from '../host-options.ts'
import { readDeviceUrl } from './device-url.ts'

const sha1 = '00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33'
const own = 'AB'.repeat(32)

const settings = (more: object = {}) =>
  parseHostOptions({ host: 'esxi.example', port: 10_443, user: 'root', password: 'secret', thumbprint: own, ...more })

const read = (url: string, more: object = {}, given: object = {}) =>
  readDeviceUrl({ key: '/vm-1/nvram', url, sslThumbprint: sha1, disk: false, ...given }, settings(more))

describe('the URL of a device', () => {
  it.each(['https://*/ha-nfc/52a/disk-0.vmdk', 'https://*:8443/ha-nfc/52a/disk-0.vmdk'])(
    '3: with * for a host (%s) is read where calls are answered, with the same port and trust',
    (url) => {
      const address = { host: 'esxi.example', port: 10_443 }
      expect(read(url)).toMatchObject({ host: address, connectTo: address, path: '/ha-nfc/52a/disk-0.vmdk', thumbprint: own })
    },
  )

  it('of the host that is asked is trusted as it is, in whatever case its name is written', () => {
    const address = { host: 'ESXi.Example', port: 10_443 }
    expect(read('https://EsXi.example:10443/nfc/1', { host: 'ESXi.Example' })).toMatchObject({ host: address, thumbprint: own })
  })

  it('of another host is trusted by the thumbprint that came with it', () => {
    const address = { host: 'esx7.lab', port: 443 }
    expect(read('https://esx7.lab/nfc/52a/disk-0.vmdk?a=1')).toMatchObject({
      host: address,
      connectTo: address,
      path: '/nfc/52a/disk-0.vmdk?a=1',
      thumbprint: sha1,
    })
  })

  it('of another host without a thumbprint is trusted by a valid certificate alone, never by the thumbprint of the first host', () => {
    expect(read('https://esx7.lab/nfc/1', {}, { sslThumbprint: '' }).thumbprint).toBeUndefined()
    expect(read('https://esxi.example/nfc/1', {}, { sslThumbprint: '' }).thumbprint).toBeUndefined()
  })

  it.each([
    ['10.0.0.7', { host: '10.0.0.7', port: 444 }],
    ['10.0.0.7:8443', { host: '10.0.0.7', port: 8443 }],
    ['[fd00::7]:8443', { host: 'fd00::7', port: 8443 }],
    ['fd00::7', { host: 'fd00::7', port: 444 }],
  ])('goes to the address that hostMap gives its host: %s', (mapped, address) => {
    const found = read('https://esx7.lab:444/nfc/1', { hostMap: { 'esx7.lab': mapped } })
    expect(found).toMatchObject({ host: { host: 'esx7.lab', port: 444 }, connectTo: address, thumbprint: sha1 })
  })

  it.each(['http://*/ha-nfc/1', 'https://user:word@*/ha-nfc/1', 'ha-nfc/1', 'file:///etc/passwd'])('is refused when it is %s', (url) => {
    expect(() => read(url)).toThrow(expect.objectContaining({ code: 'PROVIDER_FAILED', retryable: false }))
  })

  it('of an IPv6 host has no brackets', () => {
    expect(read('https://[fd00::9]/nfc/1').host).toEqual({ host: 'fd00::9', port: 443 })
  })
})
