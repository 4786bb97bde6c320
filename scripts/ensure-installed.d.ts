/** Why node_modules must be installed, or undefined when it holds what the lock file says. */
export function whatIsMissing(root: string): string | undefined
