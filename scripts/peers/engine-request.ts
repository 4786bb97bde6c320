import { request } from 'node:http'
import type { Readable } from 'node:stream'

/** The answer of an engine, its body read whole. */
export interface EngineAnswer {
  status: number
  text: string
}

/** One request to the engine behind a Unix socket. Rejects when nothing answers within the time. */
export function engineRequest(
  socket: string,
  method: string,
  path: string,
  options: { body?: Readable; type?: string; timeoutMs?: number } = {},
): Promise<EngineAnswer> {
  return new Promise((resolve, reject) => {
    const headers = options.type === undefined ? {} : { 'content-type': options.type }
    const call = request({ socketPath: socket, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }))
    })
    call.setTimeout(options.timeoutMs ?? 30_000, () =>
      call.destroy(new Error(`no answer from ${socket} within ${options.timeoutMs ?? 30_000} ms`)),
    )
    call.on('error', reject)
    if (options.body === undefined) call.end()
    else options.body.on('error', (error) => call.destroy(error)).pipe(call)
  })
}

/** Whether an engine answers there, and if not, why. */
export async function pingEngine(socket: string, timeoutMs = 2_000): Promise<{ ok: true } | { ok: false; reason: string }> {
  try {
    const answer = await engineRequest(socket, 'GET', '/_ping', { timeoutMs })
    return answer.status === 200 ? { ok: true } : { ok: false, reason: `ping answered ${answer.status}` }
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
}
