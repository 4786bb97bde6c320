import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { type HostOptions, readHostCertificate } from '@holdfast/provider-esxi'
import { simulatedHosts } from './simulated-hosts.ts'

/** Where a machine is taken from, and where its copy is put. */
export interface Hosts extends AsyncDisposable {
  readonly from: HostOptions
  readonly to: HostOptions
  /** Name of the machine. */
  readonly machine: string
  /** Of the copy. Default: that of the machine and "-restored". */
  readonly name?: string
  /** For the copy. Default: the only one there is. */
  readonly datastore?: string
  /** Where the backups are put, in a folder of their own that is removed at the end. Default: the system's folder for temporary files. */
  readonly folder?: string
  /** Writes the disks of a machine into raw files, past the API, and answers with their paths. Only simulated hosts can. */
  writeDisks?(machine: string, folder: string): Promise<readonly string[]>
}

const word = { type: 'string' } as const
const words = {
  url: word,
  user: word,
  thumbprint: word,
  machine: word,
  name: word,
  datastore: word,
  folder: word,
  help: { type: 'boolean' },
} as const

/** Something that the person at the command line can mend. */
export class UsageError extends Error {}

const usage = `expected: --url https://HOST --user USER --thumbprint SHA256 --machine NAME
optional: --name NAME of the copy, --datastore NAME for it, --folder FOLDER with room for all that the machine holds, twice`

function given() {
  try {
    return parseArgs({ options: words }).values
  } catch (cause) {
    throw new UsageError(`${(cause as Error).message}\n${usage}`, { cause })
  }
}

/** Two simulated hosts, or the one that the command line names. Its password comes from ESXI_PASSWORD or standard input: a command line can be seen by everybody. */
export async function openHosts(): Promise<Hosts> {
  const values = given()
  if (Object.keys(values).length === 0) return simulatedHosts()
  const { url, user, thumbprint, machine, help, ...rest } = values
  if (help || url === undefined || user === undefined || machine === undefined) throw new UsageError(usage)
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:')
    throw new UsageError(`--url ${url} is none that begins with https://\n${usage}`)
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  if (thumbprint === undefined) {
    const { sha256, subject } = await readHostCertificate(host, Number(port || 443), { signal: AbortSignal.timeout(30_000) })
    throw new UsageError(
      `${host} shows the certificate of ${subject}. Compare it with the console of the host, and give it: --thumbprint ${sha256}`,
    )
  }
  const password = process.env.ESXI_PASSWORD ?? (await text(process.stdin)).replace(/\r?\n$/, '')
  const login = { host, port: Number(port || 443), user, password, thumbprint }
  return { from: login, to: login, machine, ...rest, async [Symbol.asyncDispose]() {} }
}
