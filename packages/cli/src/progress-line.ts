import type { Progress, ProgressMeter } from '@holdfast/core/offline'
import { createProgressMeter } from '@holdfast/core/offline'
import type { Host } from './host.ts'
import { printable } from './printable.ts'

/** Where there is no terminal a line each half minute says that something still happens, milliseconds. */
const quietMs = 30_000
const terminalMs = 200

/** A meter that shows itself. */
export interface ShownProgress {
  readonly meter: ProgressMeter
  /** Writes a line for people, above the progress. */
  tell(line: string): void
  /** Takes the line off the terminal until there is more to show: somebody else writes there now. */
  pause(): void
  /** Takes the line off the terminal; nothing is shown afterwards. */
  end(): void
}

/** Progress on `tell`: one line that is written over on a terminal, a line now and then elsewhere. */
export function showProgress({ tell, columns, clock }: Host): ShownProgress {
  let shown = clock.monotonic()
  let width = 0
  let ended = false
  const erase = (): void => {
    if (width > 0) tell(`\r${' '.repeat(width)}\r`)
    width = 0
  }
  const draw = ({ text }: Progress): void => {
    const now = clock.monotonic()
    if (ended || now - shown < (columns === undefined ? quietMs : terminalMs)) return
    shown = now
    const line = printable(text)
    if (columns === undefined) {
      tell(`${line}\n`)
      return
    }
    const cut = line.slice(0, Math.max(10, columns - 1))
    tell(`\r${cut.padEnd(width)}`)
    width = cut.length
  }
  const meter: ProgressMeter = createProgressMeter({ clock, onChange: () => draw(meter.snapshot()) })
  return {
    meter,
    tell(line) {
      erase()
      tell(`${line}\n`)
    },
    pause: erase,
    end() {
      erase()
      ended = true
    },
  }
}
