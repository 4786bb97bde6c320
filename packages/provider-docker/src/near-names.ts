/** The names most like the one given, best first: what a person meant when a name was misspelt. */
export function nearNames(name: string, names: readonly string[], count = 3): readonly string[] {
  const wanted = name.toLowerCase()
  const scored = names.map((candidate) => ({ candidate, score: distance(wanted, candidate.toLowerCase()) }))
  return scored
    .filter(({ candidate, score }) => score <= Math.max(2, Math.ceil(wanted.length / 2)) || candidate.toLowerCase().includes(wanted))
    .sort((left, right) => left.score - right.score || (left.candidate < right.candidate ? -1 : 1))
    .slice(0, count)
    .map(({ candidate }) => candidate)
}

function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const change = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[right.length] ?? 0
}
