/** Everything the provider has said to anybody during one test, and where: no secret may be in it. */
export interface SaidWords {
  see(place: string, value: unknown): void
  seeError(error: unknown, what: string): void
  /** Fails, with the places, if one of these is in anything that was said. */
  noneOf(secrets: readonly string[]): void
}

const around = 40
const shown = 5

export function saidWords(): SaidWords {
  const said: { readonly place: string; readonly text: string }[] = []
  const see = (place: string, value: unknown) => void said.push({ place, text: textOf(value) })

  function seeError(error: unknown, what: string): void {
    if (!(error instanceof Error)) {
      see(`what ${what} was rejected with`, error)
      return
    }
    see(`the message of the error of ${what}`, error.message)
    // Begins with the message: only what comes after it is another place.
    see(`the stack of the error of ${what}`, error.stack?.replaceAll(error.message, '') ?? '')
    if ('remedy' in error) see(`the remedy of the error of ${what}`, error.remedy)
    if ('details' in error) see(`the details of the error of ${what}`, error.details)
    if (error.cause !== undefined) seeError(error.cause, `the cause of ${what}`)
  }

  function noneOf(secrets: readonly string[]): void {
    const found = new Map<string, string>()
    for (const secret of secrets) {
      for (const { place, text } of said) {
        const at = text.indexOf(secret)
        if (at < 0 || found.has(place)) continue
        const excerpt = text.slice(Math.max(0, at - around), at + secret.length + around)
        found.set(place, excerpt.replaceAll(secret, '<secret>').replaceAll('\n', ' '))
      }
    }
    if (found.size === 0) return
    const places = [...found].slice(0, shown).map(([place, excerpt]) => `${place}: "${excerpt}"`)
    const more = found.size > shown ? [`${found.size - shown} more places`] : []
    throw new Error(`a secret left the provider, in ${[...places, ...more].join('; in ')}`)
  }
  return { see, seeError, noneOf }
}

/** Without the escapes of JSON, behind which a secret with a quotation mark would hide. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .map(([name, member]) => `${name}: ${textOf(member)}`)
    .join(', ')
}
