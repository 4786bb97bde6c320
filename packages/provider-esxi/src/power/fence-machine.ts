import { type CallOptions, type FenceResult, type RunContext, throwIfAborted } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { againWhile, busy, runTask } from '../machine-task.ts'
import { readFenceMark, withMark } from '../mark.ts'
import type { MoRef } from '../vim25/values.ts'
import { neverStartByItself, startsByItself } from './auto-start.ts'
import { cardsNot, countCards, linkCards } from './network-links.ts'
import { readSwitched, type SwitchedMachine } from './power-state.ts'
import { powerOff } from './stop-machine.ts'

/** One thing that makes up a fence. */
interface Step {
  readonly what: string
  take(machine: SwitchedMachine, options: CallOptions): Promise<void>
}

const inWords = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function stepsOf(connection: Connection, { mark }: RunContext): readonly Step[] {
  return [
    { what: 'switching off', take: (machine, options) => powerOff(connection, machine, options) },
    { what: 'cutting the network', take: (machine, options) => linkCards(connection, machine, 'cut', options) },
    { what: 'ending the automatic start', take: (machine, options) => neverStartByItself(connection, machine, options) },
    {
      what: 'marking it',
      async take({ ref, name, annotation }, options) {
        const spec = { annotation: withMark(annotation, { purpose: 'fenced', mark }) }
        await againWhile(connection, busy, () => runTask(connection, 'ReconfigVM_Task', ref, { spec }, { ...options, name }), options)
      },
    },
  ]
}

/** What is so, read back, and whether it is as it must be. */
async function readBack(connection: Connection, ref: MoRef<'VirtualMachine'>, { mark, signal }: RunContext) {
  const machine = await readSwitched(connection, ref, { signal })
  const automatic = await startsByItself(connection, machine, { signal })
  const [linked, cards] = [cardsNot('cut', machine).length, countCards(machine.devices)]
  const seen = readFenceMark(machine.annotation)
  return [
    { good: machine.powerState === 'poweredOff', text: machine.powerState === 'poweredOff' ? 'it is off' : `it is ${machine.powerState}` },
    { good: linked === 0, text: linked === 0 ? `${cards} network cards are cut` : `${linked} of ${cards} network cards are not cut` },
    {
      good: automatic === false,
      text:
        automatic === false
          ? 'its host does not start it'
          : automatic
            ? 'its host starts it by itself'
            : 'whether its host starts it by itself is not known',
    },
    { good: seen?.system === mark.system && seen.run === mark.run, text: seen === undefined ? 'it carries no mark' : 'it is marked' },
  ]
}

/**
 * Off at once (the guest is not asked), network cards cut, automatic start off, marked. Each step is tried although another failed; whatever was done stays, and there is
 * nothing to undo. Confirmed only when all of it was read back from a host that is connected: a vCenter server that has lost the host knows nothing. Whether something
 * else starts the machine again, as a rule of a cluster, cannot be seen here. Idempotent.
 * @throws NOT_FOUND, UNREACHABLE, ACCESS_DENIED: not confirmed, and nothing or not all is known.
 */
export async function fenceMachine(connection: Connection, ref: MoRef<'VirtualMachine'>, run: RunContext): Promise<FenceResult> {
  const options = { signal: run.signal }
  const failed: string[] = []
  for (const { what, take } of stepsOf(connection, run)) {
    const machine = await readSwitched(connection, ref, options)
    run.step(`${machine.name}: ${what}`)
    await take(machine, options).catch((error: unknown) => {
      throwIfAborted(run.signal)
      failed.push(`${what} failed: ${inWords(error)}`)
    })
  }
  const found = await readBack(connection, ref, run)
  return { confirmed: found.every(({ good }) => good), evidence: [...found.map(({ text }) => text), ...failed].join('; ') }
}
