import { HoldfastError } from '../spec/errors.ts'

/** The one file of a number that is no item's. */
export const sumsFileName = 'SHA256SUMS'

/** Long enough for any disk or volume name, short enough for every file system once suffixes are added. */
const maximumNameBytes = 200

/** Throws INVALID_OPTIONS for an item name that cannot be a file name everywhere, PATH_OUTSIDE for one that is a path. */
export function checkItemName(name: string): void {
  const shown = JSON.stringify(name.slice(0, 250))
  if (name === '.' || name === '..' || /[/\\]/.test(name))
    throw new HoldfastError('PATH_OUTSIDE', `item name ${shown} is a path; it must be a plain file name`)
  const refuse = (why: string) => new HoldfastError('INVALID_OPTIONS', `item name ${shown} ${why}`)
  if (name === '') throw refuse('is empty')
  // Hidden names are those of temporary files.
  if (name.startsWith('.')) throw refuse('begins with a dot')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  if (/[\u0000-\u001f\u007f]/.test(name) || !name.isWellFormed()) throw refuse('has a character that is no text')
  if (Buffer.byteLength(name) > maximumNameBytes) throw refuse(`is longer than ${maximumNameBytes} bytes`)
}

/** The file names of one number. Two names that differ in case or Unicode form only count as one: some file systems cannot tell them apart. */
export interface NameClaims {
  /** Throws EXISTS when a name is taken; then none is claimed. */
  claim(names: readonly string[]): void
  free(name: string): boolean
}

export function createNameClaims(): NameClaims {
  const taken = new Set<string>()
  const fold = (name: string) => name.normalize('NFC').toLowerCase()
  taken.add(fold(sumsFileName))
  const free = (name: string) => !taken.has(fold(name))
  return {
    claim(names) {
      for (const name of names) {
        if (!free(name))
          throw new HoldfastError('EXISTS', `two items of one backup would be stored as ${JSON.stringify(name)}`, {
            remedy: 'Give each item of a backup its own name.',
          })
      }
      for (const name of names) taken.add(fold(name))
    },
    free,
  }
}
