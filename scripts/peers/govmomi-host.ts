import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { PeerFacts } from './find-peers.ts'

/** What a host is to be. */
export interface GovmomiHostOptions {
  /** Default `esxi`: a host that stands alone. */
  readonly kind?: 'esxi' | 'vcenter'
  /** Default `root` and `simulated`. */
  readonly user?: string
  readonly password?: string
  /** Where its files are put, in a folder of its own. Default: the system's folder for temporary files. */
  readonly folder?: string
}

/** A machine to be made. Files are paths, and are copied. */
export interface GovmomiMachineOrder {
  readonly name: string
  /** streamOptimized VMDKs. */
  readonly disks?: readonly string[]
  readonly nvram?: string
  readonly iso?: string
  /** Default `bios`. */
  readonly firmware?: 'bios' | 'efi'
  readonly poweredOn?: boolean
}

/** A machine as it is now. */
export interface GovmomiMachine {
  /** Value of its reference. */
  readonly ref: string
  readonly name: string
  readonly poweredOn: boolean
  /** Disks, images, NVRAM: `key` is how leases and descriptors call a file, `path` is where it is on this computer. */
  readonly files: readonly { readonly key: string; readonly path: string; readonly disk: boolean }[]
}

/** What is on a host now. */
export interface GovmomiState {
  readonly sessions: number
  readonly leases: readonly { readonly machine: string; readonly imports: boolean; readonly percent: number }[]
  readonly machines: readonly GovmomiMachine[]
}

/** A host in a process of its own, over HTTPS on 127.0.0.1. Disposing ends it, and removes its files. */
export interface GovmomiHost extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** SHA-256 of its certificate, as `AA:BB:...`. */
  readonly thumbprint: string
  readonly user: string
  readonly password: string
  state(): Promise<GovmomiState>
  createMachine(order: GovmomiMachineOrder): Promise<GovmomiMachine>
  /** Ends all sessions and what belongs to them, as a host does after a time without calls. */
  endSessions(): Promise<void>
  /** For leases from now on: without a word for so long they end. Default 300 seconds. */
  setLeaseTimeout(seconds: number): Promise<void>
}

interface Announcement {
  readonly host: string
  readonly port: number
  readonly thumbprint: string
  readonly control: string
}

async function ordered(control: string, method: 'GET' | 'POST', path: string, order?: object): Promise<unknown> {
  const response = await fetch(`${control}${path}`, { method, ...(order !== undefined && { body: JSON.stringify(order) }) })
  if (!response.ok) throw new Error(`the govmomi host: ${method} ${path}: ${await response.text()}`)
  return response.json()
}

/** Starts a host and waits until it listens. */
export async function startGovmomiHost({ host: program }: PeerFacts['govmomi'], options: GovmomiHostOptions = {}): Promise<GovmomiHost> {
  const { kind = 'esxi', user = 'root', password = 'simulated' } = options
  const folder = mkdtempSync(join(options.folder ?? tmpdir(), 'holdfast-govmomi-'))
  const parameters = ['-user', user, '-password', password, ...(kind === 'vcenter' ? ['-vcenter'] : [])]
  const child = spawn(program, parameters, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: folder } })
  let said = ''
  child.stderr.on('data', (part: Buffer) => {
    said = `${said}${part.toString('utf8')}`.slice(-8192)
  })
  const ended = once(child, 'close')
  const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended])
  if (typeof line !== 'string' || line === '') throw new Error(`the govmomi host has not started: ${said}`)
  const { control, ...address }: Announcement = JSON.parse(line)
  return {
    ...address,
    user,
    password,
    state: () => ordered(control, 'GET', '/state') as Promise<GovmomiState>,
    createMachine: (order) => ordered(control, 'POST', '/machines', order) as Promise<GovmomiMachine>,
    async endSessions() {
      await ordered(control, 'POST', '/sessions/end', {})
    },
    async setLeaseTimeout(seconds) {
      await ordered(control, 'POST', '/lease-timeout', { seconds })
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
