/** Numbers from vitest's JSON report; undefined: there is none. */
export function countTests(text: string | undefined, exitCode: number): { passed: number; failed: number }
