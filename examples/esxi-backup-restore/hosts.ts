import { addAbortSignal } from 'node:stream'
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
  help: { type: 'boolean', short: 'h' },
} as const

/** Something that the person at the command line can mend, or has asked for. */
export class UsageError extends Error {
  readonly exitCode: number

  constructor(message: string, { exitCode = 2, cause }: { readonly exitCode?: number; readonly cause?: unknown } = {}) {
    super(message, { cause })
    this.exitCode = exitCode
  }
}

const usage = `expected: --url https://HOST --user USER --thumbprint SHA256 --machine NAME
optional: --name NAME of the copy, --datastore NAME for it, --folder FOLDER with room for all that the machine holds, twice
The password comes from ESXI_PASSWORD, or from a program on standard input. Without --thumbprint that of the host is shown. The copy stays on the host.
With nothing at all, two simulated hosts are started.`

function given() {
  try {
    return parseArgs({ options: words }).values
  } catch (cause) {
    throw new UsageError(`${(cause as Error).message}\n${usage}`, { cause })
  }
}

/** A command line can be seen by everybody, and what is typed into a terminal by those who stand behind. */
async function readPassword(signal: AbortSignal): Promise<string> {
  const { ESXI_PASSWORD: given } = process.env
  if (given !== undefined && given !== '') return given
  if (!process.stdin.isTTY) process.stderr.write('The password is read from standard input.\n')
  const piped = process.stdin.isTTY ? '' : await text(addAbortSignal(signal, process.stdin))
  if (piped.trim() === '')
    throw new UsageError('There is no password. Give it in ESXI_PASSWORD, or let a program write it to standard input.')
  return piped.replace(/\r?\n$/, '')
}

/** Two simulated hosts, or the one that the command line names. */
export async function openHosts({ signal }: { readonly signal: AbortSignal }): Promise<Hosts> {
  const values = given()
  if (Object.keys(values).length === 0) return simulatedHosts()
  const { url, user, thumbprint, machine, help, ...rest } = values
  if (help) throw new UsageError(usage, { exitCode: 0 })
  if (url === undefined || user === undefined || machine === undefined) {
    const missing = Object.entries({ url, user, machine }).flatMap(([name, value]) => (value === undefined ? [`--${name}`] : []))
    throw new UsageError(`missing: ${missing.join(', ')}\n${usage}`)
  }
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:')
    throw new UsageError(`--url ${url} is none that begins with https://\n${usage}`)
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  if (thumbprint === undefined) {
    const late = AbortSignal.timeout(30_000)
    const shown = readHostCertificate(host, Number(port || 443), { signal: AbortSignal.any([signal, late]) })
    const { sha256, subject } = await shown.catch((cause) => {
      if (!late.aborted) throw cause
      throw new UsageError(
        `${host} has shown no certificate within 30 s. Look whether it is a host, and whether the port is that of its API.`,
      )
    })
    throw new UsageError(
      `${host} shows the certificate of ${subject}. Compare it with the console of the host, and give it: --thumbprint ${sha256}`,
    )
  }
  const login = { host, port: Number(port || 443), user, password: await readPassword(signal), thumbprint }
  return { from: login, to: login, machine, ...rest, async [Symbol.asyncDispose]() {} }
}
