import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '@holdfast/core/spec'
import { systemClock } from '@holdfast/core/spec'

/** One request as it came. */
export interface ReceivedRequest {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What the receiver says to a request. `silent`: nothing, ever; `broken`: the connection ends without an answer. */
export interface Answer {
  readonly status: number
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string
  readonly how?: 'silent' | 'broken' | 'endless'
}

/** A server on this host that takes webhooks; 204 to everything until it is told otherwise. */
export async function webhookReceiver() {
  const all: ReceivedRequest[] = []
  const taken: ReceivedRequest[] = []
  let answer: (request: ReceivedRequest, count: number) => Answer = () => ({ status: 204 })
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const { method, url, headers } = incoming
      const request = { method, path: url, headers, body: Buffer.concat(chunks).toString('utf8') }
      all.push(request)
      const said = answer(request, all.length)
      if (said.status < 300 && said.how === undefined) taken.push(request)
      reply(outgoing, said)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    /** Requests that were answered with 2xx. */
    taken,
    /** Every request. */
    all,
    answer(next: typeof answer) {
      answer = next
    },
    async close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function reply(outgoing: ServerResponse, { status, headers = {}, body = '', how }: Answer): void {
  if (how === 'silent') return
  if (how === 'broken') {
    outgoing.destroy()
    return
  }
  outgoing.writeHead(status, headers)
  if (how === 'endless') outgoing.write('x'.repeat(100_000))
  else outgoing.end(body)
}

/** The real clock, but pauses take no time; they are noted in `slept`. A sleep of `deadlineMs` is a deadline and takes its time. */
export function hastyClock(deadlineMs = 5_000): Clock & { readonly slept: number[] } {
  const slept: number[] = []
  return {
    ...systemClock,
    slept,
    async sleep(milliseconds, options) {
      if (milliseconds === deadlineMs) return await systemClock.sleep(milliseconds, options)
      slept.push(milliseconds)
      await systemClock.sleep(0, options)
    },
  }
}
