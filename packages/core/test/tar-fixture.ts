/** Tar archives made by hand, for what no writer makes. */
export const block = 512

interface Parts {
  readonly name?: string
  readonly flag?: string
  readonly size?: number | Buffer
  readonly link?: string
  readonly body?: Buffer
}

/** One entry, made by hand. */
export function raw({ name = 'file', flag = '0', size, link = '', body = Buffer.alloc(0) }: Parts): Buffer {
  const header = Buffer.alloc(block)
  header.write(name, 0, 100, 'latin1')
  header.write('0000644\0', 100)
  const length = size ?? body.length
  if (typeof length === 'number') header.write(`${length.toString(8).padStart(11, '0')} `, 124)
  else length.copy(header, 124)
  header.write(flag, 156)
  header.write(link, 157, 100, 'latin1')
  header.write('ustar\x0000', 257)
  header.fill(0x20, 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, body, Buffer.alloc((block - (body.length % block)) % block)])
}
export const end = Buffer.alloc(2 * block)
export const pax = (records: Readonly<Record<string, string | Buffer>>, flag = 'x') => {
  const body = Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')])
      let length = rest.length + 1
      while (String(length).length + rest.length !== length) length++
      return Buffer.concat([Buffer.from(String(length)), rest])
    }),
  )
  return raw({ name: 'pax', flag, body })
}
export const archive = (...parts: Buffer[]) => Buffer.concat([...parts, end])
export const codeOf = (act: () => unknown): string => {
  try {
    act()
    return 'nothing thrown'
  } catch (error) {
    return (error as { code: string }).code
  }
}
