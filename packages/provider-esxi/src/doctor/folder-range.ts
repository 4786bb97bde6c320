import { type CallOptions, codeOf } from '@holdfast/core/spec'
import { request } from 'undici'
import type { Connection } from '../connection.ts'
import { datacenterPath } from '../inventory/datacenter-path.ts'
import { textOf } from '../vim25/host-requests.ts'
import { createPinnedAgent } from '../vim25/pinned-agent.ts'
import type { MoRef } from '../vim25/values.ts'

/** How `/folder` answered when it was asked for the first 16 bytes of a file. */
export interface FolderAnswer {
  /** 206: ranges can be read. 200: the whole file came instead. */
  readonly status?: number
  /** It said which bytes it sent. */
  readonly contentRange?: boolean
  /** How many came, at most 64. */
  readonly bytes?: number
  /** No answer came: why. */
  readonly error?: string
}

const limits = { connectMs: 30_000, answerMs: 60_000, bodyMs: 60_000 }
const most = 64

/**
 * Asks for a range of a file, reads a few bytes, and drops the rest.
 * @param file `[datastore] folder/name.vmx`.
 */
export async function askForRange(connection: Connection, file: string, folder: MoRef, options: CallOptions): Promise<FolderAnswer> {
  const { settings, session } = connection
  const address = { host: settings.host, port: settings.port }
  const [, datastore, path] = /^\[([^\]]+)\] (.+)$/.exec(file) ?? []
  const cookie = session.client.sessionCookie(address)
  if (datastore === undefined || path === undefined || cookie === undefined) return { error: 'it was not asked' }
  const query = new URLSearchParams({ dcPath: await datacenterPath(connection.session, folder, options), dsName: datastore })
  const where = `${path.split('/').map(encodeURIComponent).join('/')}?${String(query).replaceAll('+', '%20')}`
  const agent = createPinnedAgent(settings.thumbprint, limits)
  try {
    const headers = { cookie, range: 'bytes=0-15' }
    const answer = await request(`https://${textOf(address)}/folder/${where}`, { dispatcher: agent, signal: options.signal, headers })
    let bytes = 0
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length
      if (bytes >= most) break
    }
    return { status: answer.statusCode, contentRange: answer.headers['content-range'] !== undefined, bytes: Math.min(bytes, most) }
  } catch (error) {
    if (options.signal.aborted) throw options.signal.reason
    return { error: codeOf(error) ?? 'it broke' }
  } finally {
    await agent.destroy()
  }
}
