import { type ByteStream, type CallOptions, type Clock, HoldfastError } from '@holdfast/core/spec'
import { lendingStream } from '../bytes.ts'
import { type Random, seededRandom } from '../random.ts'
import type { Transact } from './platform-file.ts'

/** Probabilities, 0 to 1, of what may happen to one request. `requestLost` and `answerLost` look the same to the caller: PROVIDER_FAILED. */
export interface PlatformFaults {
  readonly requestLost: number
  readonly answerLost: number
  /** The caller is told of a failure, and the request arrives later. */
  readonly late: number
  /** The request is answered, and arrives a second time later. */
  readonly doubled: number
  /** Of one chunk of a stream: the connection breaks, and the reader is told. */
  readonly broken: number
  /** Of one chunk of a stream whose end can be proven: it just ends, as platforms do when a file shrinks. */
  readonly cut: number
}
/** Awaited before and after each request; may wait, never resolve (a freeze) or throw. */
export type Turn = (label: string, phase: 'before' | 'after') => Promise<void>

/** The wire between a provider and the platform. */
export interface Requests {
  read<T>(label: string, action: () => T, options: CallOptions): Promise<T>
  /** `action` must be safe to arrive late or twice, as a real platform's is or is not: that is what is being tested. */
  write<T>(label: string, action: () => T, options: CallOptions): Promise<T>
  /** A write that is lost with its connection: it may fail before or after it took effect, but never arrives late or twice. */
  connection<T>(label: string, action: () => T, options: CallOptions): Promise<T>
  /** Bytes on their way to a reader, in one lent buffer. `provable`: the format shows where it ends. */
  stream(bytes: Uint8Array, provable: boolean, options: CallOptions): ByteStream
  turn(label: string, phase: 'before' | 'after'): Promise<void>
  setFaults(faults: Partial<PlatformFaults>): void
  /** Every request that is still under way arrives now, in the order in which they were sent. */
  arriveLate(): void
}

export const noFaults: PlatformFaults = { requestLost: 0, answerLost: 0, late: 0, doubled: 0, broken: 0, cut: 0 }

export function platformRequests({
  random = seededRandom(1),
  clock,
  latencyMs = 0,
  turn = async () => {},
  transact = (action) => action(),
  faults: first = {},
}: {
  readonly random?: Random
  readonly clock?: Clock
  /** How long each request takes on `clock`. */
  readonly latencyMs?: number
  readonly turn?: Turn
  readonly transact?: Transact
  readonly faults?: Partial<PlatformFaults>
}): Requests {
  let faults: PlatformFaults = { ...noFaults, ...first }
  const underWay: (() => void)[] = []

  function arrive(action: () => unknown): void {
    try {
      transact(action)
    } catch {
      // Nobody waits for this answer any more.
    }
  }
  function later(label: string): never {
    throw new HoldfastError('PROVIDER_FAILED', `request "${label}": no answer`, { retryable: true })
  }

  async function request<T>(label: string, repeats: boolean, action: () => T, { signal }: CallOptions): Promise<T> {
    signal.throwIfAborted()
    await turn(label, 'before')
    if (clock && latencyMs > 0) await clock.sleep(latencyMs, { signal })
    signal.throwIfAborted()
    if (underWay.length > 0 && random.chance(0.2)) arrive(underWay.shift() as () => void)
    const draw = random.next()
    if (draw < faults.requestLost) later(label)
    if (repeats && draw < faults.requestLost + faults.late) {
      underWay.push(action)
      later(label)
    }
    const answer = transact(action)
    if (repeats && random.chance(faults.doubled)) underWay.push(action)
    if (random.chance(faults.answerLost)) later(label)
    await turn(label, 'after')
    return answer
  }

  return {
    read: (label, action, options) => request(label, false, action, options),
    write: (label, action, options) => request(label, true, action, options),
    connection: (label, action, options) => request(label, false, action, options),
    async *stream(bytes, provable, { signal }) {
      let chunks = 0
      for await (const chunk of lendingStream(bytes, { signal, chunkBytes: 10_240 })) {
        await turn('stream', chunks++ === 0 ? 'before' : 'after')
        signal.throwIfAborted()
        if (random.chance(faults.broken)) later('stream')
        if (provable && random.chance(faults.cut)) return
        yield chunk
      }
    },
    turn,
    setFaults: (next) => {
      faults = { ...noFaults, ...next }
    },
    arriveLate() {
      for (const action of underWay.splice(0)) arrive(action)
    },
  }
}
