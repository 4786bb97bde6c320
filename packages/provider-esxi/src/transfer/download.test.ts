import { createServer as createPlainServer, type Server } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { codeOf, systemClock } from '@holdfast/core/spec'
import { createSelfSignedCertificate } from '@holdfast/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { openPinnedSocket } from '../vim25/pinned-socket.ts'
import { type DownloadOptions, download } from './download.ts'

const certificate = createSelfSignedCertificate()
const servers: Server[] = []
const sockets = new Set<TLSSocket>()
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  for (const server of servers.splice(0)) server.close()
})

const never = { signal: new AbortController().signal }
const pause = (milliseconds: number): Promise<void> => systemClock.sleep(milliseconds, never)

async function listening(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

/** A host that answers the first bytes of each connection. */
const serve = (answer: (socket: TLSSocket, request: string) => void): Promise<number> =>
  listening(
    createServer({ key: certificate.key, cert: certificate.certificate }, (socket) => {
      sockets.add(socket)
      socket.on('error', () => {}).once('close', () => sockets.delete(socket))
      socket.once('data', (request) => answer(socket, String(request)))
    }),
  )

const of = (port: number, more: Partial<DownloadOptions> = {}): DownloadOptions => {
  const host = { host: '127.0.0.1', port }
  const url = { key: 'k', host, connectTo: host, path: '/ticket-of-the-lease', thumbprint: certificate.sha256, disk: true }
  return {
    url,
    what: 'a disk',
    givenBy: '127.0.0.1',
    clock: systemClock,
    stallMs: 2000,
    ...never,
    cookie: 'vmware_soap_session="secret"',
    ...more,
  }
}

async function bytesIn(stream: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0
  for await (const chunk of stream) bytes += chunk.length
  return bytes
}

const told = (work: Promise<unknown>): Promise<string> =>
  work.then(
    (value) => `no error: ${String(value)}`,
    (error: Error) => `${codeOf(error)}: ${error.message}`,
  )

describe('a refusal', () => {
  it('says why, although its page is long', async () => {
    const port = await serve((socket) => socket.end(`HTTP/1.1 500 x\r\nContent-Length: 6000\r\n\r\nNo such ticket ${'x'.repeat(5985)}`))
    expect(await told(download(of(port)))).toMatch(/PROVIDER_FAILED: .*HTTP 500: No such ticket x/)
  })

  it('is a refusal also when its page never ends', async () => {
    const port = await serve((socket) => void socket.write('HTTP/1.1 403 x\r\n\r\nNo such ticket'))
    expect(await told(download(of(port, { stallMs: 60_000 })))).toMatch(/ACCESS_DENIED: .*HTTP 403: No such ticket/)
  })

  it('does not tell what we have sent, though it echoes it', async () => {
    const port = await serve((socket, request) => void socket.end(`HTTP/1.1 500 x\r\n\r\nYou asked ${request}`))
    const text = await told(download(of(port)))
    expect(text).toContain('You asked GET ***')
    expect(text).not.toMatch(/secret|ticket-of/)
  })
})

describe('a download', () => {
  it('waits for a reader that is slow, and may be aborted meanwhile', async () => {
    const size = 8 * 1024 * 1024
    const port = await serve((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
      socket.end(Buffer.alloc(size))
    })
    let bytes = 0
    for await (const chunk of await download(of(port, { stallMs: 300 }))) {
      if (bytes === 0) await pause(700)
      bytes += chunk.length
    }
    expect(bytes).toBe(size)
    const stop = new AbortController()
    const reading = async (): Promise<void> => {
      for await (const _ of await download(of(port, { signal: stop.signal }))) {
        await pause(100)
        stop.abort(new Error('enough'))
      }
    }
    await expect(reading()).rejects.toThrow('enough')
    await pause(50)
    expect(sockets.size).toBe(0)
  })

  it('that ends before its length is none', async () => {
    const port = await serve((socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf'))
    expect(await told(download(of(port)).then(bytesIn))).toMatch(/PROVIDER_FAILED: .*broke after 4 bytes/)
  })

  it('leaves nothing in memory, however long the signal lives that it was under', async () => {
    const size = 512 * 1024
    const port = await serve((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
      socket.end(Buffer.alloc(size))
    })
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const { signal } = new AbortController()
    const held = async (): Promise<number> => {
      for (let time = 0; time < 20; time += 1) expect(await bytesIn(await download(of(port, { signal })))).toBe(size)
      for (let time = 0; time < 5; time += 1) {
        collect()
        await pause(20)
      }
      return process.memoryUsage().arrayBuffers
    }
    const before = await held()
    expect((await held()) - before).toBeLessThan(20 * 64 * 1024)
  })
})

it('a host that takes the connection and says nothing is told as one that cannot be reached', async () => {
  const port = await listening(createPlainServer())
  const { url } = of(port)
  await expect(openPinnedSocket(url, { ...never, connectMs: 100 })).rejects.toMatchObject({ code: 'ETIMEDOUT' })
})
