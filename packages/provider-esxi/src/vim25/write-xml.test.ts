import { expect, test } from 'vitest'
import { writeXml } from './write-xml.ts'
import { childOf, parseXml, type XmlElement } from './xml.ts'

const importSpec = (text: string): XmlElement => {
  const found = childOf(parseXml(text), 'importSpec')
  if (found === undefined) throw new Error('no importSpec')
  return found
}

/** What an element says, whatever its prefixes are. */
const meaning = ({ name, namespace, attributes, children, text }: XmlElement): unknown => ({
  name,
  namespace,
  attributes,
  children: children.map(meaning),
  text: children.length > 0 ? '' : text,
})

const bodies = {
  'as real hosts': `<r xmlns="urn:vim25" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><importSpec xsi:type="VirtualMachineImportSpec"><a type="Network" xsi:type="ManagedObjectReference">n-1</a><b xsi:type="xsd:string">&lt;x&gt; &amp; "y"</b></importSpec></r>`,
  'with a prefix for everything': `<v:r xmlns:v="urn:vim25" xmlns:XMLSchema-instance="http://www.w3.org/2001/XMLSchema-instance" xmlns:d="http://www.w3.org/2001/XMLSchema"><v:importSpec XMLSchema-instance:type="v:VirtualMachineImportSpec"><v:a type="Network" XMLSchema-instance:type="v:ManagedObjectReference">n-1</v:a></v:importSpec></v:r>`,
  'with declarations further in': `<r xmlns="urn:vim25"><importSpec xmlns:q="http://www.w3.org/2001/XMLSchema-instance" q:type="VirtualMachineImportSpec"><a xmlns="urn:other"><b xmlns=""/></a></importSpec></r>`,
}

test.each(Object.entries(bodies))('an element %s is written so that it reads the same', (_name, text) => {
  const element = importSpec(text)
  expect(meaning(parseXml(writeXml(element)))).toEqual(meaning(element))
})

test('prefixes that only a value names are declared', () => {
  const element = importSpec(bodies['as real hosts'])
  const again = parseXml(writeXml(element, 'spec'))
  expect(again.name).toBe('spec')
  expect(again.namespaces.xsd).toBe('http://www.w3.org/2001/XMLSchema')
  expect(again.namespaces['']).toBe('urn:vim25')
})
