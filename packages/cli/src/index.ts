// The `holdfast` command as a function, for programs that embed it. People run it: `npx holdfast --help`.

export { type ExitCode, exitCodes } from './exit-codes.ts'
export type { ByteOutput, Host } from './host.ts'
export { runHoldfast } from './run-holdfast.ts'
