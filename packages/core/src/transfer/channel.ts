import type { Scope } from './scope.ts'

/** A bounded queue between two tasks of one scope: the sender waits while it is full, the receiver while it is empty. */
export interface Channel<T> {
  /** Resolves when there is room again. */
  send(value: T): Promise<void>
  end(): void
  /** To be iterated once. Throws the failure of the scope. */
  readonly values: AsyncIterable<T>
}

export function createChannel<T>(scope: Scope, capacity: number): Channel<T> {
  const queue: T[] = []
  let ended = false
  let wakeSender: (() => void) | undefined
  let wakeReceiver: (() => void) | undefined

  async function* values(): AsyncGenerator<T, void, undefined> {
    for (;;) {
      while (queue.length > 0) {
        const value = queue.shift() as T
        wakeSender?.()
        yield value
      }
      if (ended) return
      await scope.race(
        new Promise<void>((resolve) => {
          wakeReceiver = resolve
        }),
      )
    }
  }

  return {
    async send(value) {
      queue.push(value)
      wakeReceiver?.()
      while (queue.length >= capacity) {
        await scope.race(
          new Promise<void>((resolve) => {
            wakeSender = resolve
          }),
        )
      }
    },
    end() {
      ended = true
      wakeReceiver?.()
    },
    values: values(),
  }
}
