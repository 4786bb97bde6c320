import { describe, expect, it } from 'vitest'
import { faultError } from './faults.ts'
import { decodeAnswer } from './message.ts'

const envelope = (body: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>${body}</soapenv:Body></soapenv:Envelope>`
const fault = (type: string, fields: string): string =>
  envelope(
    `<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>The operation failed.</faultstring><detail><${type}Fault xmlns="urn:vim25" xsi:type="${type}">${fields}</${type}Fault></detail></soapenv:Fault>`,
  )
const called = { method: 'ExportVm', self: { type: 'VirtualMachine', value: '12' }, name: 'web', host: 'esx1' }

function errorOf(text: string) {
  const answer = decodeAnswer('ExportVm', text, 'esx1')
  if (!('fault' in answer)) throw new Error('no fault')
  return faultError(answer.fault, called)
}

describe('a fault', () => {
  it.each([
    ['TaskInProgress', '<task type="Task"></task>', 'IN_USE'],
    ['NoDiskSpace', '', 'DISK_FULL'],
    ['NoDiskSpace', '<datastore>datastore1</datastore>', 'DISK_FULL'],
    ['InvalidPowerState', '<existingState></existingState>', 'IN_USE'],
    ['ManagedObjectNotFound', '', 'NOT_FOUND'],
  ])('%s is told by its name, also where a field of it is missing or empty: %s', (type, fields, code) => {
    expect(errorOf(fault(type, fields))).toMatchObject({ code, details: { fault: type, method: 'ExportVm' } })
  })

  it('that nobody knows is told with its name and what the host says', () => {
    const error = errorOf(fault('SomethingOfVersionNine', '<new>1</new>'))
    expect(error).toMatchObject({
      code: 'PROVIDER_FAILED',
      message: expect.stringContaining('The operation failed. (SomethingOfVersionNine)'),
    })
  })

  it('names the privilege that is missing and the object', () => {
    const error = errorOf(fault('NoPermission', '<object type="VirtualMachine">12</object><privilegeId>VApp.Export</privilegeId>'))
    expect(error.message).toBe(
      'ExportVm of web (12) failed on esx1: The operation failed. (NoPermission) The account lacks the privilege VApp.Export.',
    )
  })
})

describe('the words of a fault', () => {
  it.each([
    [
      'NoPermission',
      '<missingPrivileges><entity type="Folder">f</entity><privilegeIds>A.One</privilegeIds><privilegeIds>A.Two</privilegeIds></missingPrivileges>',
      'The account lacks the privileges A.One on Folder f, A.Two on Folder f.',
    ],
    ['InvalidPowerState', '<existingState>poweredOn</existingState>', 'The machine is poweredOn.'],
    ['QuestionPending', '<text>Moved or copied?</text>', 'It asks: Moved or copied?'],
    [
      'NoDiskSpace',
      '<file>[fast] web/web.vmdk</file><datastore>fast</datastore>',
      'The datastore is fast. The file is [fast] web/web.vmdk.',
    ],
    ['FileLocked', '<file>[fast] web/web.vmdk</file>', 'The file is [fast] web/web.vmdk.'],
  ])('say what the fields of %s say', (type, fields, words) => {
    expect(errorOf(fault(type, fields)).message).toBe(`ExportVm of web (12) failed on esx1: The operation failed. (${type}) ${words}`)
  })
})

describe('what is no answer', () => {
  it.each([
    ['a page of a proxy', '<html><body>502 Bad Gateway</body></html>'],
    ['nothing', ''],
    ['a torn answer', envelope('<ExportVmResponse xmlns="urn:vim25"><returnval type="HttpNfcLease">lea').slice(0, -60)],
    ['the answer to another call', envelope('<LogoutResponse xmlns="urn:vim25"/>')],
    ['an answer without what was asked for', envelope('<ExportVmResponse xmlns="urn:vim25"/>')],
    ['a document type', `<!DOCTYPE a [<!ENTITY b "c">]>${envelope('<ExportVmResponse xmlns="urn:vim25"/>').slice(38)}`],
  ])('%s is refused', (_, text) => {
    expect(() => decodeAnswer('ExportVm', text, 'esx1')).toThrow(expect.objectContaining({ code: 'PROVIDER_FAILED', retryable: false }))
  })
})
