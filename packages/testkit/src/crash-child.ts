// ambient: a child of the crash harness finds its orders in its environment and ends itself with a signal.
import { appendFileSync } from 'node:fs'
import { type CallHook, pointName } from './observe-calls.ts'

/** The three variables by which the crash harness tells its child what to do. Only this file reads the environment. */
const variables = { record: 'HOLDFAST_POINTS_FILE', kill: 'HOLDFAST_KILL_AT', stop: 'HOLDFAST_STOP_AT' } as const

/** What a child of the crash harness is to do. */
export interface CrashOrders {
  /** Every point that is reached is appended here, one per line, before anything else happens at it. */
  readonly pointsFile?: string
  readonly killAt?: string
  readonly stopAt?: string
}

/**
 * The hook that a child of the crash harness gives to `observeCalls`: it records each point, and at the one it was told, sends its own process
 * SIGKILL, or SIGSTOP (and goes on after SIGCONT). Without orders it does nothing, so that the child can be run by hand.
 */
export function crashChildHook(orders: CrashOrders = ordersOfEnvironment()): CallHook {
  return (point) => {
    const name = pointName(point)
    if (orders.pointsFile !== undefined) appendFileSync(orders.pointsFile, `${name}\n`)
    if (name === orders.killAt) {
      process.kill(process.pid, 'SIGKILL')
      return new Promise<void>(() => {}) // nothing may happen between the signal and the end
    }
    // What runs in promises alone, a transaction of SQLite among it, ends first: a lock of SQLite lives as long as its process, so nobody could go on.
    if (name === orders.stopAt)
      return new Promise<void>((resolve) =>
        setImmediate(() => {
          process.kill(process.pid, 'SIGSTOP')
          resolve()
        }),
      )
    return undefined
  }
}

function ordersOfEnvironment(): CrashOrders {
  // biome-ignore lint/style/noProcessEnv: the entry of the harness in its child; nothing else of the test kit reads the environment
  const { [variables.record]: pointsFile, [variables.kill]: killAt, [variables.stop]: stopAt } = process.env
  return { ...(pointsFile && { pointsFile }), ...(killAt && { killAt }), ...(stopAt && { stopAt }) }
}

/** The environment of a child with these orders. */
export function environmentOfChild({ pointsFile, killAt, stopAt }: CrashOrders): NodeJS.ProcessEnv {
  // biome-ignore lint/style/noProcessEnv: a child inherits PATH and the like
  const inherited = Object.entries(process.env).filter(([name]) => !Object.values<string>(variables).includes(name))
  return {
    ...Object.fromEntries(inherited),
    ...(pointsFile !== undefined && { [variables.record]: pointsFile }),
    ...(killAt !== undefined && { [variables.kill]: killAt }),
    ...(stopAt !== undefined && { [variables.stop]: stopAt }),
  }
}
