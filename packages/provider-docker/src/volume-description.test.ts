import { expect, it } from 'vitest'
import { describeVolume, withoutSecrets } from './volume-description.ts'

it.each([
  { type: 'davfs', device: 'https://shop:hunter2@nas.example/dav' },
  { type: 'cifs', device: '//nas/share', o: 'username=shop,pwd=hunter2' },
  { type: 'fuse.s3fs', device: 'bucket', o: 'accesskey=AK,credentials=hunter2' },
  { mountopts: '{"password":"hunter2"}' },
  { cmd: 'mount -t cifs //nas/share --password hunter2' },
  { 'sftp-pass': 'hunter2' },
  { Authorization: 'hunter2' },
])('no password of options or labels gets into the description: %j', (values) => {
  const given = Object.fromEntries(Object.entries(values))
  const description = JSON.stringify(describeVolume({ Name: 'shop', Driver: 'local', Options: given, Labels: given }, '27', []))
  expect(description).not.toContain('hunter2')
  expect(description).toContain('***')
})

it('what is no secret is described as it is, also an option that holds nothing', () => {
  const values = { type: 'nfs', o: 'addr=10.0.0.1,rw,sec=krb5', device: ':/export/shop', tier: 'critical', author: 'shop', password: '' }
  expect(withoutSecrets(values)).toEqual(values)
})
