import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root folder of this checkout. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/** The image that `npm run peers` imports into its engine: busybox with a link for each applet, nothing else. */
export const busyboxImage = 'holdfast-test-busybox'

/** Where the peers of one checkout live. */
export interface PeerLocations {
  /** Everything lies below this folder, but what needs a short path. */
  folder: string
  /** What `npm run peers` started, as JSON: see {@link PeersFile}. */
  file: string
  /** Data of the Docker engine. */
  data: string
  log: string
  /** Holds the sockets: below `folder`, or in the system's temporary folder when that path would be too long for a socket. */
  runtime: string
  socket: string
}

/** What peers.json holds. */
export interface PeersFile {
  docker: { socket: string; image: string; pid: number; started: string; version: string }
}

// A path in a Unix socket address has 107 bytes; the engine puts sockets of its own at this depth below its exec root.
const longestSocket = 'exec/containerd/containerd.sock.ttrpc'
const socketPathBytes = 107

/** @param checkout - root folder of a checkout; each has an engine of its own, so that several run side by side */
export function peerLocations(checkout: string = root, temporary: string = tmpdir()): PeerLocations {
  const folder = join(checkout, '.peers')
  const near = join(folder, 'run')
  const fits = Buffer.byteLength(join(near, longestSocket)) <= socketPathBytes
  const runtime = fits ? near : join(temporary, `holdfast-peers-${createHash('sha256').update(checkout).digest('hex').slice(0, 12)}`)
  return {
    folder,
    file: join(folder, 'peers.json'),
    data: join(folder, 'docker'),
    log: join(folder, 'docker.log'),
    runtime,
    socket: join(runtime, 'docker.sock'),
  }
}
