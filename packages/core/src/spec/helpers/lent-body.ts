/** Bytes of one buffer. */
const bufferBytes = 256 * 1024
/** Full buffers after which no more is taken. */
const mostFull = 2

/** What a body tells the connection that it comes from. */
export interface LentBodyOptions {
  /** More bytes may come. */
  onRoom(): void
  /** The reader begins to wait for bytes, or has some again. A reader that takes its time is no silence of the host. */
  onWait?(isWaiting: boolean): void
}

/** A queue of bytes between a connection and one reader, in buffers that are used again: a day of reading leaves no garbage. */
export interface LentBody {
  /** Copies the bytes. False: nothing more shall come until `onRoom` is called. */
  push(bytes: Uint8Array): boolean
  /** No more bytes come: all is there, or the reader is to be told this error after what came before it. Only the first call counts. */
  end(outcome?: { readonly error: unknown }): void
  /** To be read once. Whatever has arrived comes as one chunk, which is lent until the next one is asked for. */
  chunks(): AsyncGenerator<Uint8Array, void, undefined>
}

/** A queue for the body of an answer that comes as events. */
export function createLentBody({ onRoom, onWait }: LentBodyOptions): LentBody {
  const full: Buffer[] = []
  const free: Buffer[] = []
  let filling: Buffer | undefined
  let filled = 0
  let ended: { readonly error?: unknown } | undefined
  let wake = () => {}
  const quiet = createQuietWatch(() => wake())
  /** The oldest buffer and how much is in it; when there is no other, the one that is being filled, unless more comes just now. */
  const take = (): { readonly buffer: Buffer; readonly length: number } | undefined => {
    const buffer = full.shift()
    if (buffer !== undefined) return { buffer, length: bufferBytes }
    if (filling === undefined || filled === 0 || (quiet.isWatching && ended === undefined)) return undefined
    const part = { buffer: filling, length: filled }
    filling = undefined
    filled = 0
    return part
  }
  const arrival = async (): Promise<void> => {
    onWait?.(true)
    await new Promise<void>((resolve) => {
      wake = resolve
    })
    onWait?.(false)
  }
  return {
    push(bytes) {
      for (let at = 0; at < bytes.length; ) {
        filling ??= free.pop() ?? Buffer.allocUnsafeSlow(bufferBytes)
        const part = bytes.subarray(at, at + bufferBytes - filled)
        filling.set(part, filled)
        at += part.length
        filled += part.length
        if (filled < bufferBytes) continue
        full.push(filling)
        filling = undefined
        filled = 0
        wake()
      }
      quiet.arrived()
      return full.length < mostFull
    },
    end(outcome) {
      ended ??= outcome ?? {}
      wake()
    },
    async *chunks() {
      for (;;) {
        const part = take()
        if (part !== undefined) {
          if (full.length < mostFull) onRoom()
          yield part.buffer.subarray(0, part.length)
          free.push(part.buffer)
        } else if (ended === undefined) await arrival()
        else if ('error' in ended) throw ended.error
        else return
      }
    },
  }
}

/** Turns of the event loop after which a reader is woken though more comes in each: it must not wait for a sender that trickles. */
const mostTurns = 8

/** Calls back when nothing more comes at once: a reader that is woken for every record of TLS does more of waking than of reading. */
function createQuietWatch(onQuiet: () => void) {
  let arrivals = 0
  let isWatching = false
  const watch = (turns: number): void => {
    const seen = arrivals
    isWatching = true
    setImmediate(() => {
      if (arrivals > seen && turns < mostTurns) return watch(turns + 1)
      isWatching = false
      onQuiet()
    })
  }
  return {
    get isWatching() {
      return isWatching
    },
    arrived(): void {
      arrivals += 1
      if (!isWatching) watch(1)
    },
  }
}
