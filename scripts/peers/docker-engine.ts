import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findProgram } from './debian-packages.ts'
import { pingEngine } from './engine-request.ts'
import { endLeftovers } from './leftover-processes.ts'
import type { PeerLocations } from './locations.ts'

/** A process, told apart from a later one with the same number by its start time. */
export interface EngineProcess {
  pid: number
  started: string
}

/** Start time of a process in clock ticks since boot; undefined when it does not run. */
export function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

/** Whether that very process still runs. */
export function isRunning(engine: EngineProcess): boolean {
  return processStart(engine.pid) === engine.started
}

/**
 * Starts an engine that outlives this process. It has no network of its own: containers of tests run with none or the host's, and nothing of the
 * machine's firewall is touched. The storage driver is the engine's choice (overlay2, or vfs where that cannot be mounted).
 */
export async function startEngine(places: PeerLocations, waitMs = 60_000): Promise<EngineProcess> {
  const program = findProgram('dockerd')
  if (program === undefined) throw new Error('dockerd is not installed')
  mkdirSync(places.data, { recursive: true, mode: 0o711 })
  makePrivateFolder(places.runtime)
  const pidFile = join(places.runtime, 'docker.pid')
  rmSync(pidFile, { force: true })
  // A file of our own: the machine's /etc/docker/daemon.json is for the engine of its user.
  const configuration = join(places.runtime, 'daemon.json')
  writeFileSync(configuration, '{}\n')
  const log = openSync(places.log, 'w', 0o644)
  const child = spawn(
    program,
    [
      ['--data-root', places.data],
      ['--exec-root', join(places.runtime, 'exec')],
      ['--pidfile', pidFile],
      ['--host', `unix://${places.socket}`],
      ['--config-file', configuration],
      ['--iptables=false', '--ip6tables=false', '--bridge=none'],
    ].flat(),
    { detached: true, stdio: ['ignore', log, log], cwd: '/' },
  )
  closeSync(log)
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
  child.unref()
  const pid = child.pid ?? 0
  const started = processStart(pid)
  for (let waited = 0; started !== undefined && waited < waitMs && isRunning({ pid, started }); waited += 100) {
    if ((await pingEngine(places.socket)).ok) return { pid, started }
    await delay(100)
  }
  if (started !== undefined) await stopEngine(places, { pid, started })
  throw new Error(
    `the Docker engine did not start; the end of ${places.log}:\n${readFileSync(places.log, 'utf8').split('\n').slice(-12).join('\n')}`,
  )
}

// In a shared temporary folder somebody else may have made the folder first: the sockets in it would then be theirs to replace.
function makePrivateFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  const owner = statSync(folder).uid
  if (owner !== process.getuid?.()) throw new Error(`${folder} belongs to user ${owner}: remove it`)
}

/** Ends the engine, and what a killed one left running. Only processes of this checkout. */
export async function stopEngine(places: PeerLocations, engine: EngineProcess): Promise<void> {
  await end(engine)
  endLeftovers(places)
}

async function end(target: EngineProcess): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!isRunning(target)) return
    process.kill(target.pid, signal)
    for (let waited = 0; waited < 20_000 && isRunning(target); waited += 100) await delay(100)
  }
}
