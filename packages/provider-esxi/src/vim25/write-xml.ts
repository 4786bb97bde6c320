import { escapeXml, type XmlElement } from './xml.ts'

/** Namespaces by prefix, as they are declared where an element is written. */
interface Declared {
  readonly [prefix: string]: string
}

const always = 'http://www.w3.org/XML/1998/namespace'

function prefixFor(namespace: string, declared: Declared): string {
  const found = Object.keys(declared).find((prefix) => prefix !== '' && declared[prefix] === namespace)
  if (found === undefined) throw new TypeError(`nothing declares the namespace ${JSON.stringify(namespace)}`)
  return `${found}:`
}

function declarationsOf(own: Declared, outer: Declared): string {
  return Object.entries(own)
    .filter(([prefix, namespace]) => namespace !== always && outer[prefix] !== namespace)
    .map(([prefix, namespace]) => ` ${prefix === '' ? 'xmlns' : `xmlns:${prefix}`}="${escapeXml(namespace)}"`)
    .join('')
}

function written(element: XmlElement, outer: Declared): string {
  const { name, namespace, attributes, children, text, namespaces } = element
  const tag = namespace === (namespaces[''] ?? '') ? name : `${prefixFor(namespace, namespaces)}${name}`
  const pairs = attributes.map(
    (one) => ` ${one.namespace === '' ? '' : prefixFor(one.namespace, namespaces)}${one.name}="${escapeXml(one.value)}"`,
  )
  const content = children.length > 0 ? children.map((child) => written(child, namespaces)).join('') : escapeXml(text)
  return `<${tag}${declarationsOf(namespaces, outer)}${pairs.join('')}>${content}</${tag}>`
}

/**
 * Writes an element that was read, under another name if one is given: what a host has sent goes back to it without being understood. All namespaces in force are declared on it,
 * since values may be names with a prefix, as in `xsi:type`. Text beside children is lost: data objects have none.
 */
export function writeXml(element: XmlElement, name = element.name): string {
  return written({ ...element, name }, {})
}
