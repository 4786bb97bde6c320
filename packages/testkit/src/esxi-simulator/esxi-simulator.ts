import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type Clock, systemClock } from '@holdfast/core/spec'
import type { Host, Refusal } from './calls/call.ts'
import { createSelfSignedCertificate } from './self-signed-certificate.ts'
import { addAutoStart } from './simulated-auto-start.ts'
import { answerCall } from './simulated-calls.ts'
import { addOvfManager } from './simulated-exports.ts'
import { createFiles, type SimulatedFiles } from './simulated-files.ts'
import { answerFolder } from './simulated-folder.ts'
import { addManagers, type HostFactOptions } from './simulated-host-facts.ts'
import { createLeases, type SimulatedLeases } from './simulated-leases.ts'
import { createMachine, type MachineOptions, type SimulatedMachine } from './simulated-machine.ts'
import { createSimulatedPlaces, type PlaceOptions, type SimulatedPlaces } from './simulated-places.ts'
import { type SessionSettings, sessionsOf } from './simulated-sessions.ts'
import { startTransferHost } from './simulated-transfer-host.ts'
import { answerTransfer } from './simulated-transfers.ts'
import { createWorld } from './simulated-world.ts'
import { answerEnvelope, faultEnvelope, type PrefixStyle, type SimulatedFault } from './soap-answer.ts'
import { parseSoapRequest } from './soap-request.ts'

/** What a simulated host is. Everything has a default. */
export interface EsxiSimulatorOptions extends PlaceOptions, HostFactOptions {
  /** Default `esxi`: a host that stands alone. */
  readonly kind?: 'esxi' | 'vcenter'
  /** Default `root` and `simulated`. */
  readonly user?: string
  readonly password?: string
  /** How it writes prefixes. Default as real hosts do. */
  readonly prefixes?: PrefixStyle
  readonly machines?: readonly MachineOptions[]
  /** A new machine gets the reference of one that has gone, as hosts that stand alone do. Default false. */
  readonly reusesReferences?: boolean
  /** For its waits. Default: that of the system. */
  readonly clock?: Clock
}

/** A host of VMware in this process, over HTTPS on 127.0.0.1, as far as its protocol is used here. Disposing ends it and all its connections. */
export interface EsxiSimulator extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** SHA-256 of its certificate, as `AA:BB:...`. */
  thumbprint(): string
  /** Another certificate from the next connection on, as after a reinstallation; connections that are open go on. */
  renewCertificate(): void
  /** Ends all connections, as a restart of its services does. */
  closeConnections(): void
  /** Names of all calls that came, in order. */
  readonly calls: readonly string[]
  /** Sessions that are open. */
  sessions(): number
  /** When a session ends by itself. */
  readonly sessionSettings: SessionSettings
  /** Ends all sessions, and what belongs to them, as a host does after a time without calls. */
  endSessions(): void
  /** The next calls of a method fail. */
  refuse(method: string, fault: SimulatedFault, times?: number): void
  /** Datastores, networks, hosts and folders. */
  readonly places: SimulatedPlaces
  /** Leases of disks that are exported or imported, and what goes wrong with them. */
  readonly leases: SimulatedLeases
  /** Files of its datastores over HTTP, and what goes wrong with them. */
  readonly files: SimulatedFiles
  /** All machines, those that are being made too. */
  machines(): readonly SimulatedMachine[]
  /** A machine by its name. */
  machine(name: string): SimulatedMachine | undefined
}

const versions = `<?xml version="1.0" encoding="UTF-8"?><namespaces version="1.0"><namespace><name>urn:vim25</name><version>8.0.2.0</version><priorVersions><version>8.0.1.0</version></priorVersions></namespace></namespaces>`
const cookieName = 'vmware_soap_session'

async function bodyOf(request: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function serve(host: Host, style: PrefixStyle, calls: string[], certificate: { key: string; cert: string }): Server {
  return createServer(certificate, async (request, response) => {
    if (host.apiType === 'HostAgent' && answerTransfer(host, request, response)) return
    if (request.url?.startsWith('/folder/')) return void (await answerFolder(host, request, response))
    if (request.url === '/sdk/vimServiceVersions.xml') return void response.writeHead(200, { 'content-type': 'text/xml' }).end(versions)
    const call = request.method === 'POST' && request.url === '/sdk' ? parseSoapRequest(await bodyOf(request)) : undefined
    if (call === undefined) return void response.writeHead(404).end()
    calls.push(call.method)
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const session = new RegExp(`${cookieName}="?([^";]+)`).exec(request.headers.cookie ?? '')?.[1]
    const answer: { readonly content: string; readonly session?: string } | Refusal = await answerCall(host, {
      ...call,
      session,
      signal: gone.signal,
    })
    const good = 'content' in answer
    const text = good ? answerEnvelope(style, call.method, answer.content) : faultEnvelope(style, answer.refused)
    response
      .writeHead(good ? 200 : 500, {
        'content-type': 'text/xml; charset=utf-8',
        ...(good && answer.session !== undefined && { 'set-cookie': `${cookieName}="${answer.session}"; Path=/; HttpOnly; Secure` }),
      })
      .end(text)
  })
}

/** Starts it on a free port. */
export async function startEsxiSimulator(options: EsxiSimulatorOptions = {}): Promise<EsxiSimulator> {
  const style = options.prefixes ?? { xsi: 'xsi', xsd: 'xsd' }
  const world = createWorld(options.clock ?? systemClock, options.reusesReferences)
  let certificate = createSelfSignedCertificate()
  const calls: string[] = []
  const places = createSimulatedPlaces(world, options, options.kind ?? 'esxi')
  const machines = (options.machines ?? []).map((one) => createMachine(world, places, one))
  const host: Host = {
    world,
    machines,
    places,
    files: createFiles(),
    leases: createLeases(options.kind === 'vcenter' ? 'nfc' : 'ha-nfc'),
    facts: options,
    style,
    apiType: options.kind === 'vcenter' ? 'VirtualCenter' : 'HostAgent',
    user: options.user ?? 'root',
    password: options.password ?? 'simulated',
    sessions: new Map(),
    sessionSettings: { idleSeconds: 1800, loginAnswerMs: 0 },
    refusals: [],
  }
  addManagers(world, options, host.sessions)
  addAutoStart(host)
  addOvfManager(world)
  const server = serve(host, style, calls, { key: certificate.key, cert: certificate.certificate })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const transferHost = options.kind === 'vcenter' ? await startTransferHost(host) : undefined
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    thumbprint: () => certificate.sha256,
    renewCertificate() {
      certificate = createSelfSignedCertificate()
      server.setSecureContext({ key: certificate.key, cert: certificate.certificate })
    },
    closeConnections: () => server.closeAllConnections(),
    calls,
    ...sessionsOf(host),
    refuse(method, fault, times = 1) {
      for (let count = 0; count < times; count += 1) host.refusals.push({ method, fault })
    },
    places,
    leases: host.leases,
    files: host.files,
    machines: () => [...machines],
    machine: (name) => machines.find((one) => one.name === name),
    async [Symbol.asyncDispose]() {
      for (const lease of [...host.leases.open]) lease.fail()
      await transferHost?.[Symbol.asyncDispose]()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
