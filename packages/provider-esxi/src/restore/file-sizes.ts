import { openOvfDocument, ovfAttribute, ovfChild, ovfChildren } from '../ovf/ovf-document.ts'

/**
 * A descriptor with other sizes of files, everything else as it stands: a disk that is put together from a chain is sent in another length than the one it
 * was exported with.
 * @param sizes Bytes by `href`.
 */
export function withFileSizes(text: string, what: string, sizes: ReadonlyMap<string, number>): string {
  const document = openOvfDocument(text, { what })
  const references = ovfChild(document.root, 'References')
  let result = document.text
  const files = references === undefined ? [] : ovfChildren(references, 'File')
  // From the end, so that what comes before keeps its place.
  for (const file of files.toReversed()) {
    const size = sizes.get(ovfAttribute(file, 'href') ?? '')
    const tag = document.tagOf(file)
    if (size === undefined || tag === undefined) continue
    const start = result.slice(tag.start, tag.end)
    const sized = /(\s(?:[\w.-]+:)?size\s*=\s*)(["'])\d*\2/
    const changed = sized.test(start) ? start.replace(sized, `$1"${size}"`) : start
    result = result.slice(0, tag.start) + changed + result.slice(tag.end)
  }
  return result
}
