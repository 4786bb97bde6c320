/** What was thrown, in words. Never throws itself: anything can be thrown, also what has no text. */
export function errorText(error: unknown): string {
  try {
    return String(error)
  } catch {
    return 'something without a text was thrown'
  }
}
