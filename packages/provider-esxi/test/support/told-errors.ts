import { createServer } from 'node:net'
import { codeOf, HoldfastError, type Provider, type RestoreRequest } from '@holdfast/core/spec'
import {
  collectingSink,
  type EsxiSimulator,
  type EsxiSimulatorOptions,
  type MachineOptions,
  type MemoryRun,
  memoryRunContext,
  startEsxiSimulator,
} from '@holdfast/testkit'
import { esxi } from '../../src/esxi-provider.ts'
import type { HostOptions } from '../../src/host-options.ts'
import { restorePoint } from './restore-point.ts'
import { loginOf } from './simulated-connection.ts'

const secret = 'Secret-of-the-account'
export const uuidOfWeb = '564d0000-0000-4000-8000-00000000aaaa'

/** What somebody does with a provider. */
export type Attempt = (provider: Provider, run: MemoryRun, simulator: EsxiSimulator) => Promise<unknown>

export const backUp: Attempt = (provider, { run }) =>
  provider.backup({ workload: uuidOfWeb, options: {} }, collectingSink({ signal: run.signal }).sink, run)

export const restoreAs =
  (request: Partial<RestoreRequest> = {}, point: Parameters<typeof restorePoint>[0] = {}): Attempt =>
  (provider, { run }) =>
    provider.restore({ purpose: 'recover', name: 'restored', start: false, options: {}, ...request }, restorePoint(point), run)

export const list: Attempt = async (provider, { run }) => {
  for await (const _ of provider.workloads(run)) return
}

export interface Situation extends EsxiSimulatorOptions {
  /** Of the machine `web`. */
  readonly web?: Partial<MachineOptions>
  /** Over what is right. */
  readonly login?: Partial<HostOptions>
  before?(simulator: EsxiSimulator): void
}

/** A provider of a simulated host on which there is the machine `web`. */
export async function withProvider<Result>(situation: Situation, use: (...parts: Parameters<Attempt>) => Promise<Result>): Promise<Result> {
  const { web, login, before, ...options } = situation
  const simulator = await startEsxiSimulator({ ...options, password: secret, machines: [{ name: 'web', uuid: uuidOfWeb, ...web }] })
  const provider = esxi({ ...loginOf(simulator), password: secret, ...login })
  before?.(simulator)
  try {
    return await use(provider, memoryRunContext({ provider }), simulator)
  } finally {
    await provider[Symbol.asyncDispose]()
    await simulator[Symbol.asyncDispose]()
  }
}

/** What the attempt ends with, as people read it: the code, what happened, and how to mend it. The address of the host is shown as `esx1`. */
export const told = (situation: Situation, attempt: Attempt): Promise<string> =>
  withProvider(situation, async (provider, run, simulator) => {
    const error = await attempt(provider, run, simulator).then(
      () => undefined,
      (caught: unknown) => caught,
    )
    if (!HoldfastError.isInstance(error)) throw new Error(`it did not fail as it should: ${codeOf(error) ?? String(error)}`)
    const { code, message, remedy, details } = error
    const everything = JSON.stringify([message, remedy, details ?? null])
    for (const word of [secret, situation.login?.password ?? secret]) if (everything.includes(word)) throw new Error('a password was told')
    return readable(`${code}\n${message}\n-> ${remedy}`, simulator)
  })

/** Without what is another one at each run. */
export const readable = (text: string, { host, port, thumbprint }: EsxiSimulator): string =>
  text
    .replaceAll(`${host}:${port}`, 'esx1')
    .replaceAll(thumbprint(), 'AB:CD:EF')
    // Without a name server the same is called otherwise.
    .replaceAll('EAI_AGAIN', 'ENOTFOUND')

/** A port on which something is that speaks no TLS, for as long as `use` takes; with `open: false` nothing is. */
export async function withPort<Result>(open: boolean, use: (port: number) => Promise<Result>): Promise<Result> {
  const server = createServer(
    (socket) =>
      void socket
        .on('error', () => {})
        .resume()
        .end('220 this is no HTTPS\r\n'),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const close = () => new Promise((resolve) => server.close(resolve))
  if (!open) await close()
  try {
    return await use(port)
  } finally {
    if (open) await close()
  }
}
