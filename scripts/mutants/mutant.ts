// One mutant for each ordering rule: the exact text that keeps the rule, and what is put in its place.

/** One exact replacement; the text must be there exactly once. */
export interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface Mutant {
  readonly rule: string
  readonly edits: readonly Edit[]
  /** Noticed within a few seeds: one of the short list. */
  readonly quick?: true
  /** There is a schedule built for it, because seeds reach it too seldom. */
  readonly named?: true
}
