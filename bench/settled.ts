import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { fillMemory } from './fill-memory.ts'

/**
 * Before each measured program: its folder is empty, and what the one before wrote is on the disk already, so that it does not pay for that. With
 * HOLDFAST_BENCH_FILL_MEMORY=1 no memory is free, see `fillMemory`.
 */
export function settled(folder?: string): void {
  if (folder !== undefined) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
  }
  execFileSync('sync')
  if (process.env.HOLDFAST_BENCH_FILL_MEMORY === '1') fillMemory()
}
