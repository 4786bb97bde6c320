/** First bytes of a zstd frame that holds data. Source: RFC 8878, section 3.1.1. */
const magic = 0xfd2fb528
const dictionaryIdBytes = [0, 1, 2, 4] as const

/**
 * Length of the zstd frame that `bytes` begins with; undefined when there is no whole one. What follows may be the start of another frame: a decoder
 * that is given more than one frame would go on into it.
 */
export function zstdFrameLength(bytes: Buffer): number | undefined {
  if (bytes.length < 9 || bytes.readUInt32LE(0) !== magic) return undefined
  const descriptor = bytes.readUInt8(4)
  const singleSegment = (descriptor >> 5) & 1
  const sizeFlag = descriptor >> 6
  const sizeBytes = sizeFlag === 0 ? singleSegment : 1 << sizeFlag
  let at = 5 + (1 - singleSegment) + (dictionaryIdBytes[descriptor & 3] ?? 0) + sizeBytes
  for (let last = false; !last; ) {
    if (at + 3 > bytes.length) return undefined
    const block = bytes.readUIntLE(at, 3)
    const type = (block >> 1) & 3
    if (type === 3) return undefined
    // A block of one repeated byte stores that byte only.
    at += 3 + (type === 1 ? 1 : block >> 3)
    last = (block & 1) === 1
  }
  if ((descriptor & 4) !== 0) at += 4
  return at <= bytes.length ? at : undefined
}
