/** qcow2 is big-endian, its offsets have 64 bits. They are handled as numbers: nothing here may shift or mask a value above 32 bits. */

/** The 64 bits at `at` as a number, or Infinity when it is not a safe integer. */
export function readSize(buffer: Buffer, at: number): number {
  const value = buffer.readUInt32BE(at) * 2 ** 32 + buffer.readUInt32BE(at + 4)
  return Number.isSafeInteger(value) ? value : Number.POSITIVE_INFINITY
}

export function writeSize(buffer: Buffer, at: number, value: number): void {
  buffer.writeUInt32BE(Math.floor(value / 2 ** 32), at)
  buffer.writeUInt32BE(value % 2 ** 32, at + 4)
}

/** An L1 or L2 entry: the offset with bit 63, COPIED: its cluster has exactly one user. */
export function writeCopied(buffer: Buffer, at: number, offset: number): void {
  writeSize(buffer, at, offset)
  buffer.writeUInt8(buffer.readUInt8(at) | 0x80, at)
}
