import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../clock.ts'
import type { Clock } from '../spec/clock.ts'
import { HoldfastError } from '../spec/errors.ts'
import { httpPut, type PutBody, type PutOptions } from './http-put.ts'

const signal = new AbortController().signal
const options: PutOptions = { clock: systemClock, signal }
const secret = 'canary'

/** What the server saw of one request. */
interface Seen {
  readonly headers: IncomingMessage['headers']
  readonly bytes: number
  readonly sha256: string
  /** All that was announced has come. */
  readonly complete: boolean
}

const servers: { readonly server: Server; readonly sockets: Set<Socket> }[] = []
afterEach(async () => {
  for (const { server, sockets } of servers.splice(0)) {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
})

async function listening(listener: RequestListener, onContinue?: RequestListener): Promise<string> {
  const server = createServer(listener)
  if (onContinue !== undefined) server.on('checkContinue', onContinue)
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  servers.push({ server, sockets })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Reads everything and answers; `seen` resolves when the request has ended one way or the other. */
function receiver(answer = (response: ServerResponse) => void response.writeHead(201).end()) {
  let tell: (seen: Seen) => void = () => {}
  const seen = new Promise<Seen>((resolve) => {
    tell = resolve
  })
  const listener: RequestListener = async (request, response) => {
    const hash = createHash('sha256')
    let bytes = 0
    try {
      for await (const chunk of request) {
        hash.update(chunk)
        bytes += chunk.length
      }
      answer(response)
    } catch {
      // It was cut.
    }
    tell({ headers: request.headers, bytes, sha256: hash.digest('hex'), complete: request.complete })
  }
  return { seen, listener }
}

/** Lends one buffer again and again, as disks do. */
function lending(
  bytes: Uint8Array,
  chunkBytes: number,
  more: Partial<PutBody> & { readonly fail?: Error } = {},
): PutBody & { closed: number } {
  const { fail, ...rest } = more
  const body = {
    size: bytes.length,
    mediaType: 'application/x-test',
    closed: 0,
    open: () => {
      async function* chunks() {
        const lent = Buffer.alloc(chunkBytes)
        try {
          for (let at = 0; at < bytes.length; at += chunkBytes) {
            const part = bytes.subarray(at, at + chunkBytes)
            lent.set(part)
            yield lent.subarray(0, part.length)
            lent.fill(0xee)
          }
          if (fail !== undefined) throw fail
        } finally {
          body.closed += 1
        }
      }
      return chunks()
    },
    ...rest,
  }
  return body
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const content = randomBytes(9_000_001)

describe('a PUT', () => {
  it.each([100, 5_000, 70_000, 4_000_000])('arrives byte for byte with its length, lent in chunks of %i bytes', async (chunkBytes) => {
    const { seen, listener } = receiver()
    const address = await listening(listener)
    const bytes = chunkBytes < 1_000 ? content.subarray(0, 300_001) : content
    const body = lending(bytes, chunkBytes)
    expect(await httpPut(`${address}/disk.raw`, body, options)).toEqual({ status: 201, bytes: bytes.length })
    expect(await seen).toMatchObject({ bytes: bytes.length, sha256: sha256(bytes), complete: true })
    expect((await seen).headers).toMatchObject({
      'content-length': `${bytes.length}`,
      'content-type': 'application/x-test',
      'user-agent': expect.stringMatching(/^holdfast\//),
    })
    expect((await seen).headers).not.toHaveProperty('transfer-encoding')
    expect(body.closed).toBe(1)
  })

  it('of an unknown length arrives in chunks', async () => {
    const { seen, listener } = receiver()
    const { size: _, ...body } = lending(content, 70_000)
    await httpPut(await listening(listener), body, options)
    expect(await seen).toMatchObject({ sha256: sha256(content), complete: true, headers: { 'transfer-encoding': 'chunked' } })
  })

  it('of nothing is one too', async () => {
    const { seen, listener } = receiver((response) => void response.writeHead(204).end())
    expect(await httpPut(await listening(listener), lending(Buffer.alloc(0), 10), options)).toEqual({ status: 204, bytes: 0 })
    expect(await seen).toMatchObject({ bytes: 0, complete: true, headers: { 'content-length': '0' } })
  })

  it('sends user and password of the address, and the headers that are given', async () => {
    const { seen, listener } = receiver()
    const address = (await listening(listener)).replace('//', '//me:pass%20word@')
    await httpPut(address, lending(content, 10_000), { ...options, headers: { 'x-more': 'yes' } })
    const authorization = `Basic ${Buffer.from('me:pass word').toString('base64')}`
    expect((await seen).headers).toMatchObject({ authorization, 'x-more': 'yes' })
  })

  it('is one when the server answers to the last byte that was announced, although the body ends only later', async () => {
    const { seen, listener } = receiver()
    const body = lending(content, 70_000)
    const open: PutBody['open'] = (call) =>
      (async function* () {
        yield* body.open(call)
        await seen
        await systemClock.sleep(50, call)
      })()
    expect(await httpPut(await listening(listener), { ...body, open }, options)).toEqual({ status: 201, bytes: content.length })
    expect((await seen).sha256).toBe(sha256(content))
  })

  it('begins after a second with a server that does not say whether it wants the bytes', async () => {
    const { seen, listener } = receiver()
    const waits: number[] = []
    const clock: Clock = {
      ...systemClock,
      sleep(ms, call) {
        waits.push(ms)
        return systemClock.sleep(ms === 1000 ? 1 : ms, call)
      },
    }
    const address = await listening(listener, listener)
    expect(await httpPut(address, lending(content, 70_000), { clock, signal })).toMatchObject({ bytes: content.length })
    expect((await seen).sha256).toBe(sha256(content))
    expect(waits).toContain(1000)
  })
})

describe('a PUT that fails', () => {
  it('because the bytes end in an error is cut, so that no server takes it for whole, and throws that error', async () => {
    for (const size of [content.length + 1, undefined]) {
      const { seen, listener } = receiver()
      const fail = new HoldfastError('CHECKSUM_MISMATCH', 'shop/p1/1/disk-0.qcow2: the cluster differs')
      const { size: _, ...rest } = lending(content, 70_000, { fail })
      const body = size === undefined ? rest : { ...rest, size }
      await expect(httpPut(await listening(listener), body, options)).rejects.toBe(fail)
      expect(await seen).toMatchObject({ bytes: content.length, complete: false })
    }
  })

  it('because it is not as long as announced is cut', async () => {
    for (const size of [content.length + 5, content.length - 5]) {
      const { seen, listener } = receiver()
      const failed = httpPut(await listening(listener), lending(content, 70_000, { size }), options)
      await expect(failed, `${size}`).rejects.toMatchObject({ code: 'INTERNAL' })
      expect((await seen).complete).toBe(false)
    }
  })

  it.each([
    [403, 'ACCESS_DENIED', false],
    [404, 'PROVIDER_FAILED', false],
    [503, 'PROVIDER_FAILED', true],
  ] as const)(
    'because the server answers %i sends nothing, and shows the status and how the answer begins',
    async (status, code, retryable) => {
      let came = 0
      const address = await listening(
        () => {},
        (request, response) => {
          request.on('data', (chunk) => {
            came += chunk.length
          })
          response.writeHead(status).end(`not here, ${'x'.repeat(500)}`)
        },
      )
      const error = await httpPut(`${address}/a?signature=${secret}`, lending(content, 70_000), options).catch((reason: unknown) => reason)
      expect(error).toMatchObject({
        code,
        retryable,
        message: expect.stringContaining(`answered ${status}: not here, xxx`),
        details: { status },
      })
      expect((error as Error).message.length).toBeLessThan(300)
      expect(came).toBe(0)
    },
  )

  it('because the server refuses in the middle says what the server said', async () => {
    const address = await listening((request, response) => {
      request.once('data', () => {
        response.writeHead(507, { connection: 'close' }).end('no room')
        request.resume()
      })
    })
    await expect(httpPut(address, lending(content, 70_000), options)).rejects.toMatchObject({
      code: 'PROVIDER_FAILED',
      message: expect.stringContaining('answered 507: no room'),
    })
  })

  it.each([
    ['its length', true],
    ['an unknown length', false],
  ])('because the server answers 200 to a part and reads no more is no success, with %s', async (_, sized) => {
    const address = await listening((request, response) => {
      request.once('data', () => {
        request.pause()
        response.writeHead(200).write('stored')
      })
    })
    const bytes = content.subarray(0, 1_000_000)
    const { size, ...rest } = lending(bytes, 10_000)
    const failed = httpPut(`${address}/disk?${secret}`, sized ? { ...rest, ...(size !== undefined && { size }) } : rest, options)
    await expect(failed).rejects.toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: true,
      message: `PUT ${address}/disk: the server answered 200 before all had come`,
      remedy: expect.stringContaining('send it again'),
      details: { address: `${address}/disk`, status: 200 },
    })
  })

  it('because the server answers 200 before it has seen a byte is no success, and does not open the body', async () => {
    const address = await listening(
      () => {},
      (_, response) => void response.writeHead(200).end(),
    )
    const opened: string[] = []
    const body = lending(content, 70_000)
    const open: PutBody['open'] = (call) => {
      opened.push('opened')
      return body.open(call)
    }
    await expect(httpPut(address, { ...body, open }, options)).rejects.toMatchObject({
      code: 'PROVIDER_FAILED',
      message: expect.stringContaining('answered 200 before all had come'),
    })
    expect(opened).toEqual([])
  })

  it('does not follow a redirect', async () => {
    const address = await listening((_, response) => void response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end())
    await expect(httpPut(address, lending(content, 70_000), options)).rejects.toMatchObject({
      code: 'PROVIDER_FAILED',
      message: expect.stringContaining('answered 307 (a redirect, which is not followed)'),
    })
  })

  it('because the connection breaks can be tried again, and closes the body', async () => {
    const address = await listening((request) => void request.once('data', () => request.socket.destroy()))
    const body = lending(content, 70_000)
    await expect(httpPut(address, body, options)).rejects.toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: true,
      message: expect.stringContaining('the connection broke'),
    })
    expect(body.closed).toBe(1)
  })

  it.each(['http', 'https'])('because nobody answers at the address says so, and does not open the body (%s)', async (protocol) => {
    const body = lending(content, 70_000)
    const opened: string[] = []
    const open: PutBody['open'] = (call) => {
      opened.push('opened')
      return body.open(call)
    }
    await expect(httpPut(`${protocol}://me:${secret}@127.0.0.1:1/disk`, { ...body, open }, options)).rejects.toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: true,
      message: `PUT ${protocol}://127.0.0.1:1/disk: nobody answers at 127.0.0.1:1 (ECONNREFUSED)`,
      details: { code: 'ECONNREFUSED' },
    })
    expect(opened).toEqual([])
  })

  it('because it is aborted is cut, rejects with the reason and closes the body', async () => {
    const { seen, listener } = receiver()
    const controller = new AbortController()
    const reason = new HoldfastError('RUN_CANCELLED', 'enough')
    const body = lending(content, 70_000)
    const aborting: PutBody = {
      ...body,
      open: (call) => {
        async function* chunks() {
          for await (const chunk of body.open(call)) {
            yield chunk
            controller.abort(reason)
          }
        }
        return chunks()
      },
    }
    await expect(httpPut(await listening(listener), aborting, { ...options, signal: controller.signal })).rejects.toBe(reason)
    expect((await seen).complete).toBe(false)
    expect(body.closed).toBe(1)
    await expect(httpPut('http://127.0.0.1:1/', body, { ...options, signal: controller.signal })).rejects.toBe(reason)
  })

  it('because the server takes nothing any more is STALLED', async () => {
    const address = await listening(() => {})
    const body = lending(Buffer.concat([content, content]), 70_000)
    await expect(httpPut(address, body, { ...options, stallMs: 200 })).rejects.toMatchObject({
      code: 'STALLED',
      message: expect.stringContaining('PUT http://127.0.0.1'),
    })
  })

  it('never shows user, password, query or headers', async () => {
    const address = await listening((_, response) => void response.writeHead(500).end())
    const withSecrets = `${address.replace('//', `//${secret}:${secret}@`)}/path?token=${secret}`
    const failures = [
      () => httpPut(withSecrets, lending(content, 70_000), { ...options, headers: { authorization: secret } }),
      () => httpPut(`http://${secret}:${secret}@127.0.0.1:1/?${secret}`, lending(content, 70_000), options),
      () => httpPut(`ftp://${secret}@127.0.0.1/`, lending(content, 70_000), options),
      () => httpPut(`no address, ${secret}`, lending(content, 70_000), options),
      () => httpPut(address, lending(content, 70_000), { ...options, headers: { 'x-key': `${secret}\n` } }),
      () => httpPut(address.replace('//', `//%E0%A4%A:${secret}@`), lending(content, 70_000), options),
    ]
    for (const failure of failures) {
      const error = await failure().catch((reason: unknown) => reason)
      expect(HoldfastError.isInstance(error)).toBe(true)
      const { message, remedy, details, cause } = error as HoldfastError
      expect(JSON.stringify([message, remedy, details, String(cause)])).not.toContain(secret)
    }
  })
})

it('shows no secret that the server repeats: neither the query, nor user and password, nor a header', async () => {
  const repeats: RequestListener = (request, response) =>
    void response.writeHead(400).end(`bad request ${request.url} ${request.headers.authorization} ${request.headers['x-token']}`)
  const address = new URL(`${await listening(repeats, repeats)}/disk?sig=${secret}%2F1&part=7`)
  const body: PutBody = {
    size: 3,
    mediaType: 'application/octet-stream',
    open: () =>
      (async function* () {
        yield Buffer.from('abc')
      })(),
  }
  const error = await httpPut(address, body, {
    ...options,
    headers: { authorization: `Bearer ${secret}2`, 'x-token': `${secret}3` },
  }).catch((cause: unknown) => cause)
  expect(error).toMatchObject({ code: 'PROVIDER_FAILED', message: expect.stringContaining('bad request /disk?') })
  expect(JSON.stringify([error, (error as Error).message])).not.toContain(secret)
})
