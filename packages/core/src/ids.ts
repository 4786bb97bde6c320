import { randomBytes } from 'node:crypto'
import type { Ids } from './spec/clock.ts'

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
const length = 20

/** Identifiers of 20 characters, 100 random bits from the system's generator: of 10^12 of them no two are likely to be equal. */
export const randomIds: Ids = {
  // 256 is a multiple of 32, so every letter is equally likely.
  next: () => Array.from(randomBytes(length), (byte) => alphabet[byte % alphabet.length]).join(''),
}
