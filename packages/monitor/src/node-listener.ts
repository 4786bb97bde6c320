import type { IncomingMessage, ServerResponse } from 'node:http'

/** Answers a Web-standard request, as Hono, Deno, Bun and service workers do. */
export type RequestHandler = (request: Request) => Response | Promise<Response>

/**
 * Makes a listener for `http.createServer`, Express (`app.use(listener)`) and Fastify (`reply.hijack(); listener(request.raw, reply.raw)`) of a handler of
 * Web-standard requests. The path is the one that the client has asked for, also below a prefix at which Express has mounted it. `request.signal` aborts
 * when the client has gone before it was answered.
 *
 * Bodies of requests are not passed on, because the handlers of this package take none; bodies of answers are held in memory as a whole. A handler that
 * rejects answers 500, a request that is no URL 400, both without a body.
 */
export function toNodeListener(handler: RequestHandler): (request: IncomingMessage, response: ServerResponse) => void {
  return (incoming, response) => {
    const gone = new AbortController()
    response.once('close', () => {
      if (!response.writableFinished) gone.abort()
    })
    const request = requestOf(incoming, gone.signal)
    if (request) void answer(handler, request, response)
    else response.writeHead(400).end()
  }
}

async function answer(handler: RequestHandler, request: Request, response: ServerResponse): Promise<void> {
  try {
    const answered = await handler(request)
    const body = Buffer.from(await answered.arrayBuffer())
    response.statusCode = answered.status
    response.setHeaders(answered.headers)
    response.end(body)
  } catch {
    if (response.headersSent) response.destroy()
    else response.writeHead(500).end()
  }
}

/** Undefined for what a client sends that no browser would: a method or a path that is none. */
function requestOf(incoming: IncomingMessage & { readonly originalUrl?: string }, signal: AbortSignal): Request | undefined {
  const { method = 'GET', url = '/' } = incoming
  // Express cuts off the prefix at which a listener is mounted.
  const path = incoming.originalUrl ?? url
  try {
    return new Request(path.startsWith('/') ? `http://localhost${path}` : path, { method, headers: headersOf(incoming), signal })
  } catch {
    return undefined
  }
}

function headersOf({ headersDistinct }: IncomingMessage): Headers {
  const headers = new Headers()
  for (const [name, values] of Object.entries(headersDistinct)) for (const value of values ?? []) headers.append(name, value)
  return headers
}
