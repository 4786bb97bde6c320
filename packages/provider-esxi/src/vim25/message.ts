import { HoldfastError } from '@holdfast/core/spec'
import { decodeFault, decodeValue } from './decode.ts'
import { encodeFields, vim25, xsd, xsi } from './encode.ts'
import { fieldOf, isDataType } from './field.ts'
import { type MethodName, methods, type ParametersOf, type ResultOf, type SelfOf } from './methods.ts'
import type { MethodEntry } from './schema/schema-entry.ts'
import type { Data, MoRef } from './values.ts'
import { attributeOf, childOf, escapeXml, parseXml, type XmlElement } from './xml.ts'

const envelopeNamespace = 'http://schemas.xmlsoap.org/soap/envelope/'

/** A call as the body of a request. Holds a password when it is a login: never for a log. */
export function encodeRequest<Name extends MethodName>(method: Name, self: MoRef<SelfOf<Name>>, parameters: ParametersOf<Name>): string {
  const { parameters: fields }: MethodEntry = methods[method]
  const target = `<_this type="${escapeXml(self.type)}">${escapeXml(self.value)}</_this>`
  const content = encodeFields(fields, parameters as { readonly [name: string]: unknown }, method)
  const declared = `xmlns:soapenv="${envelopeNamespace}" xmlns:xsd="${xsd}" xmlns:xsi="${xsi}"`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<soapenv:Envelope ${declared}><soapenv:Body><${method} xmlns="${vim25}">${target}${content}</${method}></soapenv:Body></soapenv:Envelope>`
}

/** What a host refused, as it says so. */
export interface SoapFault {
  /** Name of the fault, for example `NoPermission`; `undefined` when the host gives none. */
  readonly type?: string
  readonly message: string
  readonly fault?: Data<'MethodFault'>
}

/** Exactly one of them. */
export type Answer<Name extends MethodName> = { readonly result: ResultOf<Name> } | { readonly fault: SoapFault }

const notSoap = (host: string, why: string, cause?: unknown): HoldfastError =>
  new HoldfastError('PROVIDER_FAILED', `What answers at ${host} is no vSphere service: ${why}.`, {
    retryable: false,
    remedy: 'Give the address of an ESXi host or a vCenter server.',
    ...(cause !== undefined && { cause }),
  })

function bodyOf(text: string, host: string): XmlElement {
  let root: XmlElement
  try {
    root = parseXml(text)
  } catch (cause) {
    throw notSoap(host, 'its answer is no XML', cause)
  }
  const body = root.name === 'Envelope' ? childOf(root, 'Body')?.children[0] : undefined
  if (body === undefined) throw notSoap(host, 'its answer is no SOAP envelope')
  return body
}

function faultOf(body: XmlElement): SoapFault {
  const message = childOf(body, 'faultstring')?.text.trim() || 'no reason given'
  const detail = childOf(body, 'detail')?.children[0]
  if (detail === undefined) return { message }
  const tagged = attributeOf(detail, 'type', xsi)
  const type = tagged === undefined ? detail.name.replace(/Fault$/, '') : tagged.slice(tagged.indexOf(':') + 1)
  return { type, message, fault: { $type: type, ...decodeFault(isDataType(type) ? type : 'MethodFault', detail) } }
}

/**
 * Reads the answer to a call.
 * @param host As errors name it.
 * @throws PROVIDER_FAILED (not retryable): no SOAP, or an answer that does not fit the call.
 */
export function decodeAnswer<Name extends MethodName>(method: Name, text: string, host: string): Answer<Name> {
  const body = bodyOf(text, host)
  if (body.name === 'Fault') return { fault: faultOf(body) }
  if (body.name !== `${method}Response`) throw notSoap(host, `it answers ${method} with ${body.name}`)
  const { result }: MethodEntry = methods[method]
  if (result === undefined) return { result: undefined as ResultOf<Name> }
  const { type, list, optional } = fieldOf(result)
  const values = body.children.filter(({ name }) => name === 'returnval').map((element) => decodeValue(type, element, method))
  if (values.length === 0 && !list && !optional) throw notSoap(host, `its answer to ${method} is empty`)
  return { result: (list ? values : values[0]) as ResultOf<Name> }
}
