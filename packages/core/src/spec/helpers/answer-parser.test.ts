import { seededRandom } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { createAnswerParser } from './answer-parser.ts'

/** What a parser tells when it gets the text in pieces that the seed chooses. */
function parse(text: string, seed = 0): { status?: number; body: string; finished: boolean } {
  const random = seededRandom(seed)
  const told: { status?: number; body: string } = { body: '' }
  const parser = createAnswerParser({
    onHead(status) {
      expect(told.status).toBeUndefined()
      told.status = status
    },
  })
  const bytes = Buffer.from(text, 'latin1')
  for (let at = 0; at < bytes.length; ) {
    const length = seed === 0 ? bytes.length : 1 + random.below(7)
    parser.push(bytes.subarray(at, at + length), (part) => {
      told.body += Buffer.from(part).toString('latin1')
    })
    at += length
  }
  return { ...told, finished: parser.finished }
}

const head = (...fields: readonly string[]) => `HTTP/1.1 200 OK\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`

describe('an answer', () => {
  const body = 'Hello\r\n0\r\n\r\n'
  const answers: readonly (readonly [string, string])[] = [
    ['in chunks', `${head('transfer-encoding: chunked')}5;x=y\r\nHello\r\n7\r\n\r\n0\r\n\r\n\r\n0\r\nTrailer: 1\r\n\r\n`],
    ['of a known length', `${head('Content-Length: 12')}${body}`],
    ['after an interim one', `HTTP/1.1 100 Continue\r\n\r\n${head('CONTENT-LENGTH:12')}${body}`],
  ]
  it.each(answers)('%s comes whole however it is cut', (_, text) => {
    for (let seed = 0; seed < 50; seed++) expect(parse(text, seed), `seed ${seed}`).toEqual({ status: 200, body, finished: true })
  })
  it.each(answers)('%s that is cut anywhere is not finished', (_, text) => {
    for (let length = 0; length < text.length; length++) {
      expect(parse(text.slice(0, length)).finished, `cut at ${length}`).toBe(false)
      const parser = createAnswerParser({ onHead() {} })
      parser.push(Buffer.from(text.slice(0, length)), () => {})
      expect(() => parser.end(), `cut at ${length}`).toThrow(expect.objectContaining({ code: 'ECONNRESET' }))
    }
  })
  it('without a length ends with the connection', () => {
    const parser = createAnswerParser({ onHead() {} })
    let found = ''
    parser.push(Buffer.from(`${head()}${body}`), (part) => {
      found += Buffer.from(part)
    })
    expect(parser.finished).toBe(false)
    parser.end()
    expect([parser.finished, found]).toEqual([true, body])
  })
  it('without a body ends with its head', () => {
    expect(parse('HTTP/1.1 204 No Content\r\n\r\n')).toEqual({ status: 204, body: '', finished: true })
    expect(parse(`${head('Content-Length: 0')}more`)).toEqual({ status: 200, body: '', finished: true })
  })
})

it.each([
  ['another protocol', '220 mail.example.org ESMTP\r\n\r\n'],
  ['a length that is none', head('Content-Length: -1')],
  ['a coding that was not asked for', head('Transfer-Encoding: gzip, chunked')],
  ['two lengths that differ', head('Content-Length: 4', 'Content-Length: 8')],
  ['a length beside chunks', head('Transfer-Encoding: chunked', 'Content-Length: 4')],
  ['two codings', head('Transfer-Encoding: chunked', 'Transfer-Encoding: gzip')],
  ['a chunk without a size', `${head('Transfer-Encoding: chunked')}x\r\n`],
  ['a chunk that is longer than it says', `${head('Transfer-Encoding: chunked')}1\r\nab\r\n`],
  ['a field without a name', head('nothing')],
  ['a head without an end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`],
  ['a line without an end', `HTTP/1.1 200 OK\r\n${'x'.repeat(70_000)}`],
])('%s is refused', (_, text) => {
  expect(() => parse(text)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^HPE_/) }))
})
