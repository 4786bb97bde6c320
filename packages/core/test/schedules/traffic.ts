import type { Clock } from '@holdfast/core/spec'
import type { Random } from '@holdfast/testkit'

/** One engine as the driver sees it: a process that may be frozen or killed. */
export interface Process {
  readonly name: string
  dead: boolean
  /** Nothing of it goes on before this step. */
  frozenUntil: number
  /** Calls of it that have failed. */
  failures: number
  /** By how much the wall clocks were ahead when it began. */
  readonly wallAtStart: number
  /** Run -> the step in which it took that run last. */
  readonly taken: Map<string, number>
}

/** A call that waits at a seam, before it takes effect or before its answer arrives. */
export interface WaitingCall {
  readonly process: Process
  readonly label: string
  goOn(): void
  fail(error: Error): void
}

interface Sleeper {
  readonly process: Process
  readonly at: number
  readonly wake: () => void
}

const startOfTime = Date.UTC(2026, 10, 20)
const never = new Promise<never>(() => {})

/** Every seam call of every process, and the one time they share. Nothing goes on unless the driver says so. */
export interface Traffic {
  step: number
  /** When open, no call waits: the calm at the end. */
  open: boolean
  readonly waiting: readonly WaitingCall[]
  gate(process: Process, label: string): Promise<void> | undefined
  take(call: WaitingCall): void
  clockOf(process: Process): Clock
  readonly clock: Clock
  /** From now on all wall clocks are ahead by so much; 0: they are right. */
  setWall(milliseconds: number): void
  /** Time goes on; whoever sleeps until then wakes. */
  pass(milliseconds: number): void
  /** Milliseconds until the next process wakes. */
  untilNext(): number | undefined
  kill(process: Process): void
  frozen(process: Process): boolean
}

/** `steered`: every call waits, so that a schedule may be written by hand. */
export function createTraffic(random: Random, trace: ((text: string) => void) | undefined, steered: boolean): Traffic {
  const passThrough = steered ? 0 : random.pick([0.3, 0.6, 0.8, 0.9])
  let waiting: WaitingCall[] = []
  let sleepers: Sleeper[] = []
  let time = 0
  let wall = 0

  const traffic: Traffic = {
    step: 0,
    open: false,
    get waiting() {
      return waiting
    },
    gate(process, label) {
      if (process.dead) return never
      trace?.(`${process.name} ${label}`)
      if (traffic.open || (!traffic.frozen(process) && random.chance(passThrough))) return undefined
      return new Promise<void>((resolve, reject) => {
        waiting.push({ process, label, goOn: resolve, fail: reject })
      })
    },
    take(call) {
      waiting = waiting.filter((other) => other !== call)
    },
    clockOf: (process) => ({
      now: () => startOfTime + time + wall,
      monotonic: () => time,
      sleep: (milliseconds, { signal }) => sleep(process, time + Math.max(0, milliseconds), signal),
    }),
    clock: { now: () => startOfTime + time + wall, monotonic: () => time, sleep: () => never },
    setWall(milliseconds) {
      wall = milliseconds
    },
    pass(milliseconds) {
      time += milliseconds
      wakeDue()
    },
    untilNext() {
      let next: number | undefined
      for (const { process, at } of sleepers) if (!traffic.frozen(process) && (next === undefined || at < next)) next = at
      return next === undefined ? undefined : Math.max(0, next - time)
    },
    kill(process) {
      process.dead = true
      waiting = waiting.filter((call) => call.process !== process)
      sleepers = sleepers.filter((sleeper) => sleeper.process !== process)
    },
    frozen: (process) => process.frozenUntil > traffic.step,
  }

  function wakeDue(): void {
    const due = sleepers.filter(({ process, at }) => at <= time && !traffic.frozen(process))
    if (due.length === 0) return
    for (const { wake } of due.sort((one, other) => one.at - other.at)) wake()
  }

  function sleep(process: Process, at: number, signal: AbortSignal): Promise<void> {
    if (process.dead) return never
    return new Promise<void>((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const leave = () => {
        sleepers = sleepers.filter((other) => other !== sleeper)
        signal.removeEventListener('abort', abort)
      }
      const abort = () => {
        leave()
        reject(signal.reason)
      }
      const wake = () => {
        leave()
        resolve()
      }
      const sleeper: Sleeper = { process, at, wake }
      signal.addEventListener('abort', abort, { once: true })
      sleepers.push(sleeper)
    })
  }
  return traffic
}

/** Everything that waits for no gate and no clock has run when this resolves. */
export function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
