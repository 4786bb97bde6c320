import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'

/** Before each measured program: its folder is empty, and what the one before wrote is on the disk already, so that it does not pay for that. */
export function settled(folder?: string): void {
  if (folder !== undefined) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
  }
  execFileSync('sync')
}
