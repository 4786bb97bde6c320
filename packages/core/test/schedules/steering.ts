import type { RunOrder } from '../../src/engine/engine.ts'
import { backupOrder, type Orders } from './actions.ts'
import { comeToRest } from './rest.ts'
import { quiet, type WaitingCall } from './traffic.ts'
import { type ByHand, createWorld, leaseMs, type Node, type World } from './world.ts'

/** A schedule written by hand: nodes go on call by call, as far as it says. */
export interface Steering {
  readonly world: World
  readonly orders: Orders
  node(): Promise<Node>
  /** These nodes go on until the first of them waits at such a call. */
  until(nodes: readonly [Node, ...Node[]], at: RegExp): Promise<WaitingCall>
  /** This node goes on until the promise is settled; what it gave, or its error. */
  through<Result>(node: Node, promise: PromiseLike<Result>): Promise<Result | Error>
  /** Asks and goes on until it is done. */
  run(node: Node, order: RunOrder): Promise<unknown>
  backup(index: number): RunOrder
  goOn(call: WaitingCall): Promise<void>
  fail(call: WaitingCall, error: Error): Promise<void>
  leasesEnd(): Promise<void>
  kill(node: Node): void
  /** The violation, if there is one, after everything has come to rest. */
  rest(nodes: readonly Node[]): Promise<string | undefined>
}

const mostCalls = 20_000

export function steer(byHand: ByHand, trace?: (text: string) => void, seed = 1): Steering {
  const world = createWorld(seed, trace, byHand)
  const orders: Orders = { exempt: new Set(), restores: new Map(), count: 0 }
  const { traffic } = world
  const release = async (call: WaitingCall) => {
    traffic.take(call)
    call.goOn()
    await quiet()
  }
  /** One call of one of these nodes goes on, or time does. */
  const once = async (nodes: readonly Node[]) => {
    const call = traffic.waiting.find(({ process }) => nodes.some((node) => node === process))
    if (call) return await release(call)
    traffic.pass(Math.max(1, traffic.untilNext() ?? 100))
    await quiet()
  }
  const through = async <Result>(node: Node, promise: PromiseLike<Result>): Promise<Result | Error> => {
    let ended: { readonly value: Result | Error } | undefined
    promise.then(
      (value) => {
        ended = { value: value as Result }
      },
      (error: unknown) => {
        ended = { value: error instanceof Error ? error : new Error(String(error)) }
      },
    )
    await quiet()
    for (let count = 0; !ended; count++) {
      if (count > mostCalls) throw new Error(`${node.name} does not come to an end`)
      await once([node])
    }
    return ended.value
  }
  return {
    world,
    orders,
    async node() {
      const node = await world.makeNode()
      const error = await through(node, node.engine.start())
      if (error instanceof Error) throw error
      node.started = true
      return node
    },
    async until(nodes, at) {
      for (let count = 0; count < mostCalls; count++) {
        await quiet()
        const found = traffic.waiting.find(({ process, label }) => process === nodes[0] && at.test(label))
        if (found) return found
        await once(nodes)
      }
      throw new Error(`${nodes[0].name} does not come to ${at}`)
    },
    through,
    run: (node, order) => through(node, node.engine.run(order)),
    backup: (index) => backupOrder(world, index),
    goOn: release,
    async fail(call, error) {
      traffic.take(call)
      call.fail(error)
      await quiet()
    },
    async leasesEnd() {
      traffic.pass(leaseMs + 1)
      await quiet()
    },
    kill: (node) => traffic.kill(node),
    async rest(nodes) {
      for (const node of nodes) traffic.kill(node)
      world.ledger.inspect()
      if (world.violation === undefined) await comeToRest(world, orders, () => undefined, false)
      return world.violation
    },
  }
}
