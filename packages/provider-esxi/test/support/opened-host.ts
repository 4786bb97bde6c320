import { systemClock } from '@holdfast/core/spec'
import { type Connection, shareConnection } from '../../src/connection.ts'
import { parseHostOptions } from '../../src/host-options.ts'
import { retrieveAll } from '../../src/vim25/retrieve.ts'
import type { MoRef } from '../../src/vim25/values.ts'
import type { OpenTestedHost, TestedHost, TestedHostOptions } from './tested-host.ts'

export const call = { signal: new AbortController().signal }

/** A host of a test, and a connection to it. Disposing logs out first. */
export interface OpenedHost extends AsyncDisposable {
  readonly host: TestedHost
  readonly connection: Connection
  /** The machine of this name, as the host lists it. */
  machine(name: string): Promise<MoRef<'VirtualMachine'>>
  /** Names of all machines, sorted. */
  machines(): Promise<readonly string[]>
  logOut(): Promise<void>
}

export async function connectTo(host: TestedHost): Promise<OpenedHost> {
  const shared = shareConnection(parseHostOptions(host.login), systemClock)
  const connection = await shared.open(call)
  const list = async () => {
    const found: { ref: MoRef<'VirtualMachine'>; name: string }[] = []
    for await (const { ref, values } of retrieveAll(connection.session, 'VirtualMachine', ['name'], call))
      found.push({ ref, name: String(values.name) })
    return found
  }
  return {
    host,
    connection,
    async machine(name) {
      const found = (await list()).find((one) => one.name === name)
      if (found === undefined) throw new Error(`there is no machine ${name}`)
      return found.ref
    },
    machines: async () => (await list()).map(({ name }) => name).toSorted(),
    async logOut() {
      await shared[Symbol.asyncDispose]()
    },
    async [Symbol.asyncDispose]() {
      await shared[Symbol.asyncDispose]()
      await host[Symbol.asyncDispose]()
    },
  }
}

export async function openAndConnect(open: OpenTestedHost, options: TestedHostOptions = {}): Promise<OpenedHost> {
  const host = await open(options)
  try {
    return await connectTo(host)
  } catch (error) {
    await host[Symbol.asyncDispose]()
    throw error
  }
}
