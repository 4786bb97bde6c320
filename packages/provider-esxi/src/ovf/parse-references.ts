import { assertSafeName, showValue } from '@holdfast/core/spec'
import type { XmlElement } from '../vim25/xml.ts'
import { bytesOfUnit } from './allocation-units.ts'
import { type OvfDocument, optionalNumber, ovfAttribute, ovfChild, ovfChildren, requiredAttribute, wholeNumber } from './ovf-document.ts'
import type { OvfDisk, OvfFile, OvfNetwork } from './ovf-types.ts'

/** More than a host can have, and what the readers of disks take: 64 TiB. */
const largestDisk = 64 * 2 ** 40

/** No two of a list have the same; of names of files also none that some file systems do not tell apart. */
function refuseDoubles(document: OvfDocument, elements: readonly XmlElement[], what: string, values: readonly string[]): void {
  const seen = new Set<string>()
  for (const [index, value] of values.entries()) {
    if (seen.has(value)) throw document.fault(elements[index] as XmlElement, `the ${what} ${showValue(value)} is there twice`)
    seen.add(value)
  }
}

function decoded(href: string): string {
  try {
    return decodeURIComponent(href)
  } catch {
    return href
  }
}

/** A name in the folder of the descriptor: never a way out of it, and never an address. Programs that decode `%2f` must find nothing either. */
function hrefOf(document: OvfDocument, element: XmlElement): string {
  const href = requiredAttribute(document, element, 'href')
  const line = document.tagOf(element)?.line
  const what = `${document.context.what}${line === undefined ? '' : `, line ${line}`}: the href`
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(href))
    throw document.fault(element, `the href ${showValue(href)} is an address: only files beside the descriptor are read`)
  assertSafeName(href, what)
  assertSafeName(decoded(href), what)
  return href
}

function fileOf(document: OvfDocument, element: XmlElement): OvfFile {
  const size = optionalNumber(document, element, 'size')
  const chunkSize = optionalNumber(document, element, 'chunkSize')
  const compression = ovfAttribute(element, 'compression') ?? 'identity'
  if (compression !== 'identity' && compression !== 'gzip' && compression !== '')
    throw document.fault(element, `the compression ${showValue(compression)} is not known; known: identity, gzip`)
  if (chunkSize === 0) throw document.fault(element, 'chunkSize is 0')
  if (chunkSize !== undefined && size === undefined) throw document.fault(element, 'a file in chunks has no size')
  return {
    id: requiredAttribute(document, element, 'id'),
    href: hrefOf(document, element),
    ...(size !== undefined && { size }),
    ...(compression === 'gzip' && { compression }),
    ...(chunkSize !== undefined && { chunkSize }),
  }
}

export function filesOf(document: OvfDocument): readonly OvfFile[] {
  const references = ovfChild(document.root, 'References')
  const elements = references === undefined ? [] : ovfChildren(references, 'File')
  const files = elements.map((element) => fileOf(document, element))
  refuseDoubles(
    document,
    elements,
    'file id',
    files.map(({ id }) => id),
  )
  refuseDoubles(
    document,
    elements,
    'href',
    files.map(({ href }) => href.normalize('NFC').toLowerCase()),
  )
  return files
}

/** Bytes of a number with the unit that another attribute or element names. */
export function withUnit(document: OvfDocument, element: XmlElement, number: string, unit: string | undefined, what: string): number {
  if (/\$\{/.test(number))
    throw document.fault(
      element,
      `${what} is the property ${showValue(number)}`,
      'Write the number in its place: properties are not filled in here.',
    )
  const bytes = unit === undefined || unit.trim() === '' ? 1 : bytesOfUnit(unit)
  if (bytes === undefined) throw document.fault(element, `the unit of ${what} is ${showValue(unit)}, for example "byte * 2^20" is known`)
  return wholeNumber(document, element, number, what, Math.floor(largestDisk / bytes)) * bytes
}

function diskOf(document: OvfDocument, element: XmlElement, files: readonly OvfFile[]): OvfDisk {
  const id = requiredAttribute(document, element, 'diskId')
  const [fileRef, parentRef] = [ovfAttribute(element, 'fileRef') || undefined, ovfAttribute(element, 'parentRef') || undefined]
  const format = ovfAttribute(element, 'format') || undefined
  const populatedSize = optionalNumber(document, element, 'populatedSize')
  const capacity = requiredAttribute(document, element, 'capacity')
  if (fileRef !== undefined && !files.some((file) => file.id === fileRef))
    throw document.fault(element, `the disk ${showValue(id)} names the file ${showValue(fileRef)}, which References does not have`)
  return {
    id,
    ...(fileRef !== undefined && { fileRef }),
    capacity: withUnit(
      document,
      element,
      capacity,
      ovfAttribute(element, 'capacityAllocationUnits'),
      `the capacity of disk ${showValue(id)}`,
    ),
    ...(format !== undefined && { format }),
    ...(populatedSize !== undefined && { populatedSize }),
    ...(parentRef !== undefined && { parentRef }),
  }
}

export function disksOf(document: OvfDocument, files: readonly OvfFile[]): readonly OvfDisk[] {
  const elements = ovfChildren(document.root, 'DiskSection').flatMap((section) => ovfChildren(section, 'Disk'))
  const disks = elements.map((element) => diskOf(document, element, files))
  refuseDoubles(
    document,
    elements,
    'disk id',
    disks.map(({ id }) => id),
  )
  for (const [index, { id, parentRef }] of disks.entries())
    if (parentRef !== undefined && !disks.some((disk) => disk.id === parentRef))
      throw document.fault(elements[index] as XmlElement, `the disk ${showValue(id)} builds on ${showValue(parentRef)}, which is not there`)
  return disks
}

export function networksOf(document: OvfDocument): readonly OvfNetwork[] {
  const elements = ovfChildren(document.root, 'NetworkSection').flatMap((section) => ovfChildren(section, 'Network'))
  const networks = elements.map((element) => {
    const description = ovfChild(element, 'Description')?.text.trim()
    return { name: requiredAttribute(document, element, 'name'), ...(description !== undefined && description !== '' && { description }) }
  })
  refuseDoubles(
    document,
    elements,
    'network',
    networks.map(({ name }) => name),
  )
  return networks
}
