import type { Clock } from '@holdfast/core/spec'

/** The default for what waits: SQLite tells the time, so this tells none. Node's timer is the only asynchronous wait there is. */
export const pause: Clock['sleep'] = (milliseconds, { signal }) =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, milliseconds)
    signal.addEventListener('abort', stop, { once: true })
  })
