/** The flags that a point can carry, each a small file beside its manifests. */
export const flagNames = ['pin', 'hold', 'quarantine', 'verified'] as const

/** One of {@link flagNames}. */
export type FlagName = (typeof flagNames)[number]

/** The name of each flag's file. */
export const flagFileNames = {
  pin: 'pin.json',
  hold: 'hold.json',
  quarantine: 'quarantine.json',
  verified: 'verified.json',
} as const satisfies {
  readonly [flag in FlagName]: string
}
