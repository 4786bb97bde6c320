// node receive-http.js: takes what is put, and drops it. Writes its port on standard output, then a line of JSON for each request. The path /hash has the
// bytes hashed, which takes longer.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const server = createServer((request, response) => {
  const hash = request.url === '/hash' ? createHash('sha256') : undefined
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    hash?.update(chunk)
  })
  request.on('error', () => undefined)
  request.on('end', () => {
    response.writeHead(201).end()
    const seen = { bytes, announced: Number(request.headers['content-length']), sha256: hash?.digest('hex') }
    process.stdout.write(`${JSON.stringify(seen)}\n`)
  })
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`))
process.on('disconnect', () => process.exit())
