import { describe, expect, it } from 'vitest'
import { hideSecrets } from './hide-secrets.ts'

describe('a secret in a text is hidden', () => {
  it.each([
    ['https://shop:hunter2@nas.example/dav', 'https://***@nas.example/dav'],
    ['https://hunter2@nas.example/dav', 'https://***@nas.example/dav'],
    ['https://shop:8080hunter2@nas:8080/dav', 'https://***@nas:8080/dav'],
    ['https://shop:p@hunter2@nas/dav', 'https://***@nas/dav'],
    ['https://shop:p/hunter2@nas/dav', 'https://***@nas/dav'],
    ['//shop:hunter2@nas/share', '//shop:***@nas/share'],
    ['https://nas/dav?token=hunter2', 'https://nas/dav?token=***'],
    ['username=shop,pwd=hunter2', 'username=shop,pwd=***'],
    ['username=shop,PASSWORD=hunter2,vers=3', 'username=shop,PASSWORD=***,vers=3'],
    ['passwd=hunter2,pass=hunter2,bindpw=hunter2,cred=hunter2', 'passwd=***,pass=***,bindpw=***,cred=***'],
    ['accesskey=hunter2,credentials=hunter2', 'accesskey=***,credentials=***'],
    ['password=a b,,hunter2,vers=3', 'password=***,vers=3'],
    ['password="a,hunter2",vers=3', 'password=***,vers=3'],
    ['password="a,hunter2', 'password=***'],
    ['auth: Bearer hunter2', 'auth: ***'],
    ['<password>hunter2</password>', '<password>***'],
    ['{"password":"hunter2"}', '{"password":***'],
    ['{"api_token" : "hunter2","user":"shop"}', '{"api_token" : ***,"user":"shop"}'],
    ['{\\"secret\\":\\"a,hunter2\\"}', '{\\"secret\\":***'],
    ['{"auth":{"user":"shop","word":"hunter2"}}', '{"auth":***'],
    ['{"keys":["a","hunter2"]}', '{"keys":***'],
    ['--password hunter2 -o rw', '--password *** -o rw'],
    ["--admin-password 'a hunter2' -o rw", '--admin-password *** -o rw'],
    ['-password=hunter2', '-password=***'],
    ['["--token","hunter2"]', '["--token",***'],
  ])('%s', (text, shown) => {
    expect(hideSecrets(text)).toBe(shown)
    expect(hideSecrets(shown)).toBe(shown)
  })

  it('behind a long text too', () => {
    for (const part of ['a', 'key', '://', ':a', '-', '--key ', 'key=\\"'])
      expect(hideSecrets(`${part.repeat(300_000 / part.length)} password=hunter2`)).not.toContain('hunter2')
  })
})

it.each([
  'addr=10.0.0.1,rw,sec=krb5,nolock,vers=4',
  'user@nas:/shop',
  ':/export/shop',
  '[fe80::1]:/export',
  'https://nas:8080/dav/shop@example.org',
  'passive,no-auth,vers=3',
  'password=,vers=3',
  'org.opencontainers.image.authors=shop',
  'the key of the shop',
  'bind',
  '',
])('what holds no secret stays as it is: %s', (text) => {
  expect(hideSecrets(text)).toBe(text)
})
