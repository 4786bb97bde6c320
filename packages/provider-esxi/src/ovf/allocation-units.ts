const words: { readonly [word: string]: number } = {
  byte: 1,
  bytes: 1,
  b: 1,
  ...Object.fromEntries(
    ['kilo', 'mega', 'giga', 'tera'].flatMap((prefix, index) => {
      const factor = 1024 ** (index + 1)
      const letter = prefix[0] as string
      const binary = `${prefix.slice(0, 2)}bi`
      return [`${prefix}byte`, `${prefix}bytes`, `${letter}b`, `${binary}byte`, `${binary}bytes`, `${letter}ib`].map((word) => [
        word,
        factor,
      ])
    }),
  ),
}

/**
 * Bytes of one unit, as descriptors write it: `byte * 2^30`, `byte * 1024 * 512`, and the words of older writers, `MegaBytes`, `MB`, `KiloBytes`,
 * which mean powers of 1024 there, whatever DSP0004 says of words. Undefined: it is none of them.
 */
export function bytesOfUnit(text: string): number | undefined {
  const [word = '', ...factors] = text
    .toLowerCase()
    .split('*')
    .map((part) => part.trim())
  let bytes = Object.hasOwn(words, word) ? (words[word] as number) : Number.NaN
  for (const factor of factors) {
    const [, base, exponent = '1'] = /^(\d{1,15})(?:\s*\^\s*(\d{1,2}))?$/.exec(factor) ?? []
    bytes *= base === undefined ? Number.NaN : Number(base) ** Number(exponent)
  }
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined
}
