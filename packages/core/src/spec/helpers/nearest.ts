/** The allowed word that `word` is most likely a misspelling of, or undefined when none is close: at most one mistake in three letters. */
export function nearest(word: string, allowed: readonly string[]): string | undefined {
  let best: string | undefined
  let fewest = Number.POSITIVE_INFINITY
  for (const candidate of allowed) {
    const mistakes = distance(word.toLowerCase(), candidate.toLowerCase())
    if (mistakes < fewest && mistakes <= Math.max(1, Math.floor(candidate.length / 3))) {
      best = candidate
      fewest = mistakes
    }
  }
  return best
}

/** Optimal string alignment: letters put in, left out, changed, or two neighbours swapped. */
function distance(left: string, right: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1]
      let cost = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1))
      if (row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1])
        cost = Math.min(cost, at(beforeLast, column - 2) + 1)
      current.push(cost)
    }
    beforeLast = last
    last = current
  }
  return at(last, right.length)
}

const at = (row: readonly number[], column: number): number => row[column] ?? Number.POSITIVE_INFINITY
