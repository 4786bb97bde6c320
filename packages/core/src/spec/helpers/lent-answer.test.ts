import { describe, expect, it } from 'vitest'
import { createLentAnswer } from './lent-answer.ts'

function started() {
  const told: string[] = []
  const answer = createLentAnswer({
    onRoom: () => told.push('room'),
    onEnd: () => told.push('end'),
    explain: (cause) => new Error(`explained: ${(cause as Error).message}`),
  })
  const send = (text: string) => answer.receive(Buffer.from(text))
  return { answer, told, send }
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += Buffer.from(chunk).toString()
  return text
}

const head = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'

describe('a lent answer', () => {
  it('gives its status and its body, and then lets go of the connection, once', async () => {
    const { answer, told, send } = started()
    send(`${head}Hello`)
    answer.closed()
    expect([await answer.head, await textOf(answer.chunks()), answer.received]).toEqual([200, 'Hello', 5])
    expect(told.filter((word) => word === 'end')).toHaveLength(1)
  })

  it('that is cut tells so after what came', async () => {
    const { answer, send } = started()
    send(`${head}Hel`)
    answer.closed()
    const chunks = answer.chunks()
    expect(Buffer.from((await chunks.next()).value as Uint8Array).toString()).toBe('Hel')
    await expect(chunks.next()).rejects.toThrow('explained: the connection ended before the answer')
  })

  it('that is no HTTP has no head', async () => {
    const { answer, told, send } = started()
    send('220 mail.example ESMTP\r\n\r\n')
    await expect(answer.head).rejects.toThrow(/explained: Not an HTTP answer/)
    expect(told).toEqual(['end'])
  })

  it('of a connection that fails before the head says why', async () => {
    const { answer } = started()
    answer.fail(new Error('refused'))
    await expect(answer.head).rejects.toThrow('explained: refused')
  })

  it('that is left early lets go of the connection, and what comes later means nothing', async () => {
    const { answer, told, send } = started()
    send(`${head}He`)
    for await (const chunk of answer.chunks()) {
      expect(chunk).toHaveLength(2)
      break
    }
    answer.closed()
    expect(told).toContain('end')
  })

  it('asks its sender to wait while its reader does not read', async () => {
    const { answer, told } = started()
    answer.receive(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))
    let bytes = 0
    while (answer.receive(Buffer.alloc(100_000))) bytes += 100_000
    expect([bytes < 2_000_000, told]).toEqual([true, []])
    await answer.chunks().next()
    expect(told).toEqual(['room'])
  })
})
