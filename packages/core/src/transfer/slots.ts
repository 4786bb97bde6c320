import type { Scope } from './scope.ts'

/** Lets so many pieces of work run at once; the others wait in the order in which they came. */
export interface Slots {
  /** Resolves with the function that frees the slot. */
  enter(scope: Scope): Promise<() => void>
}

export function createSlots(count: number): Slots {
  let free = count
  const waiting: (() => void)[] = []
  const leave = (): void => {
    const next = waiting.shift()
    if (next === undefined) free++
    else next()
  }
  return {
    async enter(scope) {
      if (free > 0) {
        free--
        return once(leave)
      }
      let granted = false
      const turn = new Promise<void>((resolve) => {
        waiting.push(() => {
          granted = true
          resolve()
        })
      })
      const place = waiting.at(-1)
      try {
        await scope.race(turn)
      } catch (error) {
        if (granted) leave()
        else waiting.splice(waiting.indexOf(place as () => void), 1)
        throw error
      }
      return once(leave)
    },
  }
}

function once(act: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    act()
  }
}
