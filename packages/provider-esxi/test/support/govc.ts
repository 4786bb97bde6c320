import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { PeerFacts } from '../../../../scripts/peers/find-peers.ts'
import type { HostOptions } from '../../src/host-options.ts'

const run = promisify(execFile)

/** Calls govmomi's own client on a host. Rejects with what it wrote when it fails. */
export async function govc({ govc: program }: PeerFacts['govmomi'], login: HostOptions, ...parameters: readonly string[]): Promise<string> {
  const { host, port, user, password } = login
  const environment = {
    ...process.env,
    GOVC_URL: `https://${host}:${port}/sdk`,
    GOVC_USERNAME: user,
    GOVC_PASSWORD: password,
    GOVC_INSECURE: '1',
    // Otherwise it keeps its sessions in the home folder of whoever runs the tests.
    GOVC_PERSIST_SESSION: 'false',
  }
  const { stdout } = await run(program, parameters, { env: environment })
  return stdout
}
