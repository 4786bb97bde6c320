import { createAnswerParser } from './answer-parser.ts'
import { createLentBody, type LentBodyOptions } from './lent-body.ts'

/** What a {@link LentAnswer} tells its connection. */
export interface LentAnswerOptions extends LentBodyOptions {
  /** The answer has ended, well or not, or nobody reads it any more: the connection is of no more use. Called once. */
  onEnd(): void
  /** What a failure means for whoever asked: of the connection, given to `fail`, or with a code that begins with `HPE_`, since this is no HTTP. */
  explain(cause: unknown): unknown
}

/** The answer to one GET, whose body may have terabytes, from a connection of its own. */
export interface LentAnswer {
  /** Status of the answer, as soon as its head is there. Rejects when there is none. */
  readonly head: Promise<number>
  /** Bytes of the body that have come. */
  readonly received: number
  /** Takes bytes of the connection, whose buffer is free again afterwards. False: nothing more shall come until `onRoom` is called. */
  receive(bytes: Uint8Array): boolean
  /** The connection has ended: a failure, unless the answer was whole. */
  closed(): void
  /** The connection has failed, or is given up. After the end it means nothing. */
  fail(cause: unknown): void
  /** The body, to be read once; a chunk is lent until the next one is asked for. Leaving it early ends the answer. */
  chunks(): AsyncGenerator<Uint8Array, void, undefined>
}

/**
 * Reads an HTTP/1.1 answer into buffers that are used again, so that an hour of reading leaves no garbage; a reader that is slow holds the sender back. For
 * sockets of Node that read into one buffer (`onread`).
 */
export function createLentAnswer({ onRoom, onWait, onEnd, explain }: LentAnswerOptions): LentAnswer {
  const head = Promise.withResolvers<number>()
  // Whoever reads the body alone hears of a failure there.
  head.promise.catch(() => {})
  const body = createLentBody({ onRoom, ...(onWait && { onWait }) })
  const parser = createAnswerParser({ onHead: head.resolve })
  let received = 0
  let over = false
  const end = (failure?: { readonly cause: unknown }): void => {
    if (over) return
    over = true
    const outcome = failure && { error: explain(failure.cause) }
    if (outcome !== undefined) head.reject(outcome.error)
    body.end(outcome)
    onEnd()
  }
  const orFail = (work: () => void): void => {
    try {
      work()
    } catch (cause) {
      end({ cause })
    }
  }
  return {
    head: head.promise,
    get received() {
      return received
    },
    receive(bytes) {
      let room = true
      orFail(() =>
        parser.push(bytes, (part) => {
          received += part.length
          room = body.push(part)
        }),
      )
      if (parser.finished) end()
      return room
    },
    closed() {
      orFail(() => parser.end())
      end()
    },
    fail: (cause) => end({ cause }),
    async *chunks() {
      try {
        yield* body.chunks()
      } finally {
        end()
      }
    },
  }
}
