/** A piece of XML: what goes into an element, and the attributes the element gets for it. */
export interface XmlValue {
  readonly attributes: string
  readonly content: string
}

/** How a host writes its prefixes: hosts and simulators differ. */
export interface PrefixStyle {
  /** For `type` of XML Schema instance. */
  readonly xsi: string
  /** For the types of XML Schema. */
  readonly xsd: string
}

/** What a host refuses with: the name of a fault, and what it says. */
export interface SimulatedFault {
  readonly fault: string
  readonly message: string
  /** The fields of the fault. */
  readonly fields?: string
}

const escapes: { readonly [character: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (character) => escapes[character] as string)

export const element = (name: string, { attributes, content }: XmlValue): string => `<${name}${attributes}>${content}</${name}>`

export const field = (name: string, value: string | number | boolean): string => `<${name}>${escaped(String(value))}</${name}>`

export const reference = (name: string, type: string, value: string): string => `<${name} type="${type}">${escaped(value)}</${name}>`

/** Values for slots that may hold anything, so that they say what they are. */
export function typedValues({ xsi, xsd }: PrefixStyle) {
  const typed = (type: string, content: string, more = ''): XmlValue => ({ attributes: `${more} ${xsi}:type="${type}"`, content })
  return {
    text: (value: string) => typed(`${xsd}:string`, escaped(value)),
    truth: (value: boolean) => typed(`${xsd}:boolean`, String(value)),
    int: (value: number) => typed(`${xsd}:int`, String(value)),
    enumeration: (type: string, value: string) => typed(type, value),
    reference: (type: string, value: string) => typed('ManagedObjectReference', escaped(value), ` type="${type}"`),
    references: (type: string, values: readonly string[]) =>
      typed('ArrayOfManagedObjectReference', values.map((value) => reference('ManagedObjectReference', type, value)).join('')),
    data: (type: string, content: string) => typed(type, content),
    fault: ({ fault, fields = '' }: SimulatedFault) => typed(fault, fields),
  }
}
/** Makes values for slots that may hold anything. */
export type TypedValues = ReturnType<typeof typedValues>

const envelope = ({ xsi, xsd }: PrefixStyle, body: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:${xsd}="http://www.w3.org/2001/XMLSchema" xmlns:${xsi}="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>${body}</soapenv:Body></soapenv:Envelope>`

export const answerEnvelope = (style: PrefixStyle, method: string, content: string): string =>
  envelope(style, `<${method}Response xmlns="urn:vim25">${content}</${method}Response>`)

export function faultEnvelope(style: PrefixStyle, fault: SimulatedFault): string {
  const detail = element(`${fault.fault}Fault`, {
    attributes: ` xmlns="urn:vim25" ${style.xsi}:type="${fault.fault}"`,
    content: fault.fields ?? '',
  })
  return envelope(
    style,
    `<soapenv:Fault><faultcode>ServerFaultCode</faultcode>${field('faultstring', fault.message)}<detail>${detail}</detail></soapenv:Fault>`,
  )
}

/** `LocalizedMethodFault`, as in tasks, leases and lists of what is missing. */
export const localized = (style: PrefixStyle, name: string, fault: SimulatedFault): string =>
  `<${name}>${element('fault', typedValues(style).fault(fault))}${field('localizedMessage', fault.message)}</${name}>`
