import { readdirSync, readFileSync } from 'node:fs'
import type { PeerLocations } from './locations.ts'

interface Process {
  pid: number
  parent: number
  command: string
}

/**
 * Ends what a killed engine of this checkout left running: its containerd, the shim of each container (both know the engine's folder by an argument) and
 * the container's own first process, which a shim does not take along.
 */
export function endLeftovers(places: PeerLocations): void {
  const all = processes()
  const ours = all.filter((each) => each.command.split('\0').some((argument) => argument.startsWith(`${places.runtime}/exec/`)))
  const parents = new Set(ours.map((each) => each.pid))
  const contained = all.filter((each) => parents.has(each.parent) && !parents.has(each.pid))
  for (const { pid } of [...contained, ...ours]) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

function processes(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
        return [{ pid: Number(name), parent, command: readFileSync(`/proc/${name}/cmdline`, 'utf8') }]
      } catch {
        return []
      }
    })
}
