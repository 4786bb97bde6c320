import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import type { HostOptions } from '@holdfast/provider-esxi'
import { simulatedHosts } from './simulated-hosts.ts'

/** Where a machine is taken from, and where its copy is put. */
export interface Hosts extends AsyncDisposable {
  readonly from: HostOptions
  readonly to: HostOptions
  /** Name of the machine. */
  readonly machine: string
  /** Writes the disks of a machine into raw files, past the API, and answers with their paths. Only simulated hosts can. */
  writeDisks?(machine: string, folder: string): Promise<readonly string[]>
}

const words = { url: { type: 'string' }, user: { type: 'string' }, thumbprint: { type: 'string' }, machine: { type: 'string' } } as const

/** Two simulated hosts, or the one that the command line names. Its password comes from ESXI_PASSWORD or standard input: a command line can be seen by everybody. */
export async function openHosts(): Promise<Hosts> {
  const { url, user, thumbprint, machine } = parseArgs({ options: words }).values
  if (url === undefined) return simulatedHosts()
  if (user === undefined || thumbprint === undefined || machine === undefined)
    throw new Error('expected --url https://HOST --user USER --thumbprint SHA256 --machine NAME')
  const { hostname: host, port } = new URL(url)
  const password = process.env.ESXI_PASSWORD ?? (await text(process.stdin)).replace(/\r?\n$/, '')
  const login = { host, port: Number(port || 443), user, password, thumbprint }
  return { from: login, to: login, machine, async [Symbol.asyncDispose]() {} }
}
