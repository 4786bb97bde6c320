import { isIPv6 } from 'node:net'
import { parseStrict } from '@holdfast/core/spec'
import * as z from 'zod'
import { problemOfHost } from './vim25/host-name.ts'
import { isThumbprint } from './vim25/pinned-agent.ts'

/** Where a host or a vCenter server is, and who logs in. */
export interface HostOptions {
  /** Name or address, without a scheme. */
  readonly host: string
  /** Default 443. */
  readonly port?: number
  readonly user: string
  /** Kept in memory only: it is in no error, log, event or manifest. */
  readonly password: string
  /** SHA-256 (or SHA-1) of its certificate. Absent: the certificate must be valid as everywhere. `readHostCertificate` shows it. */
  readonly thumbprint?: string
  /** Milliseconds without a byte after which a transfer of disks fails with STALLED. Default 900,000: a host that looks through empty areas is silent for long. */
  readonly stallMs?: number
  /**
   * Where hosts are reached that a vCenter server names, when their names do not resolve here: `{ 'esx7.lab': '10.0.0.7' }`, or with a port,
   * `'10.0.0.7:8443'`. Default: by their names.
   */
  readonly hostMap?: { readonly [name: string]: string }
}

/** `name`, `name:port`, `[::1]:port` or `::1`. */
function isReachable(text: string): boolean {
  const [, address, name, port = '1'] = /^(?:\[([^\]]+)\]|([^/@\s:[\]?#]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const isPort = Number(port) >= 1 && Number(port) <= 65_535
  return isIPv6(text) || (isPort && (name !== undefined || isIPv6(address ?? '')))
}

const hostMap = z
  .record(z.string(), z.string().refine(isReachable, 'expected an address or a name, with or without a port'))
  .superRefine((map, context) => {
    const tell = (name: string, message: string) => context.addIssue({ code: 'custom', path: [name], message })
    const known = new Set<string>()
    for (const name of Object.keys(map)) {
      if (problemOfHost(name) !== undefined) tell(name, 'what stands before it is to be the name of a host, without scheme and port')
      if (known.has(name.toLowerCase())) tell(name, 'the same host is there twice, in other letters')
      known.add(name.toLowerCase())
    }
  })
  // The names in addresses of a lease are in lower case, whatever the host calls itself.
  .transform((map) => Object.fromEntries(Object.entries(map).map(([name, at]) => [name.toLowerCase(), at])))
  .default({})

const schema = z.strictObject({
  host: z.string().superRefine((text, context) => {
    const message = problemOfHost(text)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  }),
  port: z.int().min(1).max(65_535).default(443),
  user: z.string().min(1),
  // An ESXi host has no account without one, and some wrong ones in a row lock it.
  password: z.string().refine((text) => text !== '', 'it is empty; expected the password of the user'),
  thumbprint: z.string().refine(isThumbprint, 'expected a SHA-256 or SHA-1 in hexadecimal').optional(),
  stallMs: z.int().min(1).default(900_000),
  hostMap,
})

/** With all defaults. */
export type HostSettings = z.infer<typeof schema>

/** @throws INVALID_OPTIONS with the path of the mistake. */
export const parseHostOptions = (options: HostOptions): HostSettings => parseStrict(schema, options, 'esxi')
