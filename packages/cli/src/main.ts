// ambient: the entry of the command. Words, streams, signals and exit code of the process come in here and nowhere else.
import { HoldfastError, systemClock } from '@holdfast/core/spec'
import { exitCodes } from './exit-codes.ts'
import { runHoldfast } from './run-holdfast.ts'
import { standardOutput } from './standard-output.ts'

const { stdout, stderr } = process
const output = standardOutput()
const interruption = new AbortController()

/** The first one ends the work in order, the second one at once. */
function interrupt(): void {
  if (interruption.signal.aborted) process.exit(exitCodes.interrupted)
  interruption.abort(new HoldfastError('ABORTED', 'Interrupted.'))
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt)
// Whoever reads has seen enough (`holdfast points ... | head`). Before the command has ended nobody knows yet that all is good.
// Who sends a disk hears of it by himself, and tells how far it came.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (!output.used) process.exit(error.code === 'EPIPE' ? (process.exitCode ?? exitCodes.cannot) : exitCodes.cannot)
})
stderr.on('error', () => {})

process.exitCode = await runHoldfast(process.argv.slice(2), {
  folder: process.cwd(),
  write: (text) => void stdout.write(text),
  tell: (text) => void stderr.write(text),
  output,
  ...(stderr.isTTY && { columns: stderr.columns }),
  superuser: process.getuid?.() === 0,
  clock: systemClock,
  signal: interruption.signal,
})
// Bytes that nobody reads any more would keep the process alive.
if (output.used && process.exitCode !== exitCodes.good) stderr.write('', () => process.exit())
