import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { findProgram } from './debian-packages.ts'
import { pingEngine } from './engine-request.ts'
import { findGovmomi } from './govmomi-build.ts'
import { type PeersFile, peerLocations } from './locations.ts'

/** What a test needs to know to use a peer. */
export interface PeerFacts {
  /** The engine that `npm run peers` started; `image` is a busybox with all applets in /bin, nothing is ever pulled. */
  docker: { socket: string; image: string; version: string }
  /** User id 0: a small tmpfs can be mounted, owners of files can be set. */
  root: { uid: 0 }
  'qemu-img': { path: string; version: string }
  tar: { path: string }
  zstd: { path: string }
  curl: { path: string }
  python3: { path: string }
  /** A mail server that a test starts by itself, see smtp-server.ts: the Python that has aiosmtpd, and what makes a certificate. */
  smtp: { python: string; openssl: string }
  /** A simulated ESXi host or vCenter server that a test starts by itself, see govmomi-host.ts, and the client of the same maker. */
  govmomi: { host: string; govc: string }
}

export type PeerName = keyof PeerFacts

/** A peer that is there, or why it is not. */
export type FoundPeer<Name extends PeerName> = { facts: PeerFacts[Name] } | { missing: string }

export type FoundPeers = { readonly [Name in PeerName]: FoundPeer<Name> }

/** Looks for all peers; takes some milliseconds. Those named in HOLDFAST_HIDE_PEERS (with commas) count as missing: so that this case can be tested. */
export async function findPeers(): Promise<FoundPeers> {
  const hidden = (process.env.HOLDFAST_HIDE_PEERS ?? '').split(',').filter((name) => name !== '')
  return { ...(await lookUp()), ...Object.fromEntries(hidden.map((name) => [name, { missing: 'hidden by HOLDFAST_HIDE_PEERS' }])) }
}

async function lookUp(): Promise<FoundPeers> {
  return {
    docker: await findDocker(),
    root: process.getuid?.() === 0 ? { facts: { uid: 0 } } : { missing: 'this is an ordinary user' },
    'qemu-img': findQemu(),
    tar: findTool('tar'),
    zstd: findTool('zstd'),
    curl: findTool('curl'),
    python3: findTool('python3'),
    smtp: findSmtp(),
    govmomi: findGovmomiPrograms(),
  }
}

async function findDocker(): Promise<FoundPeer<'docker'>> {
  let file: PeersFile
  try {
    file = JSON.parse(readFileSync(peerLocations().file, 'utf8'))
  } catch {
    return { missing: 'no engine was started for this checkout' }
  }
  const { socket, image, version } = file.docker
  const ping = await pingEngine(socket)
  return ping.ok ? { facts: { socket, image, version } } : { missing: ping.reason }
}

function findQemu(): FoundPeer<'qemu-img'> {
  const path = findProgram('qemu-img')
  if (path === undefined) return { missing: 'not in the PATH' }
  const version = /version ([\d.]+)/.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))?.[1]
  return { facts: { path, version: version ?? 'unknown' } }
}

/** The first line of the program names the Python that has the module; another one in the PATH may not have it. */
function findSmtp(): FoundPeer<'smtp'> {
  const [program, openssl] = [findProgram('aiosmtpd'), findProgram('openssl')]
  if (program === undefined) return { missing: 'aiosmtpd is not in the PATH' }
  if (openssl === undefined) return { missing: 'openssl is not in the PATH' }
  const python = /^#!\s*(\S+)/.exec(readFileSync(program, 'utf8'))?.[1]
  return python === undefined ? { missing: `${program} does not say which Python it is for` } : { facts: { python, openssl } }
}

function findGovmomiPrograms(): FoundPeer<'govmomi'> {
  const found = findGovmomi(peerLocations())
  return 'missing' in found ? found : { facts: found }
}

function findTool(name: 'tar' | 'zstd' | 'curl' | 'python3'): { facts: { path: string } } | { missing: string } {
  const path = findProgram(name)
  return path === undefined ? { missing: 'not in the PATH' } : { facts: { path } }
}
