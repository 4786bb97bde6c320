// Loaded before a measured program: at its end it writes the most memory the process held, as KiB, to standard error.
import { readFileSync, writeSync } from 'node:fs'

process.on('exit', () => {
  const peak = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  writeSync(2, `\npeak ${peak}\n`)
})
