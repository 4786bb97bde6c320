/** A tar with this one empty file, for the wipe; header fields as POSIX.1-1988 has them. */
export function tarOfOneFile(name: string): Uint8Array {
  const block = Buffer.alloc(512 * 3)
  block.write(name, 0, 'latin1')
  block.write('0000644\0', 100)
  block.write('0000000\0', 108)
  block.write('0000000\0', 116)
  block.write('00000000000\0', 124)
  block.write('00000000000\0', 136)
  block.write('        0ustar\x0000', 148, 'latin1')
  let sum = 0
  for (let at = 0; at < 512; at++) sum += block[at] ?? 0
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}
