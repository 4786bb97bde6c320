import { type CallOptions, HoldfastError } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { againWhile, busy, runTask, throughBreaks } from '../machine-task.ts'
import { type Marked, readFenceMark, readMark, withMark, withoutFence } from '../mark.ts'
import { isFault } from '../vim25/faults.ts'
import type { Observed } from '../vim25/updates.ts'
import type { Data, MoRef } from '../vim25/values.ts'
import { type AnswerPolicy, answerQuestion } from './answer-question.ts'
import { cardsNot, linkCards } from './network-links.ts'
import { type NamedMachine, readSwitched } from './power-state.ts'

/** Answers whatever the machine asks, until it is aborted. Rejects with what it cannot answer. */
async function answerAll(connection: Connection, machine: NamedMachine, policy: AnswerPolicy, options: CallOptions): Promise<never> {
  const answered = new Set<string>()
  for (;;) {
    const isNew = ({ 'runtime.question': asked }: Observed) => {
      const found = asked as Data<'VirtualMachineQuestionInfo'> | undefined
      return found !== undefined && !answered.has(found.id) ? found : undefined
    }
    const wait = () => connection.updates.until(machine.ref, ['runtime.question'], isNew, options)
    const question = await throughBreaks(connection, wait, options)
    answered.add(question.id)
    await answerQuestion(connection, machine, question, policy, options)
  }
}

async function isOn(connection: Connection, ref: MoRef<'VirtualMachine'>, options: CallOptions): Promise<boolean> {
  return (await readSwitched(connection, ref, options)).powerState === 'poweredOn'
}

/**
 * Switches a machine on, and answers what it asks meanwhile as the policy says. "Already on" is success. It resolves when it is on, not when its guest is up. When it
 * rejects because of a question, the machine still waits for the answer, and goes on with it.
 * @throws IN_USE: a question, with its text and answers, or another task. NOT_FOUND, UNREACHABLE, ACCESS_DENIED, UNSUPPORTED.
 */
export async function powerOn(connection: Connection, machine: NamedMachine, policy: AnswerPolicy, options: CallOptions): Promise<void> {
  const over = new AbortController()
  const inner = { signal: AbortSignal.any([options.signal, over.signal]) }
  const start = () => runTask(connection, 'PowerOnVM_Task', machine.ref, {}, { ...inner, name: machine.name, goesOn: true })
  const started = againWhile(connection, busy, start, inner).catch(async (error: unknown) => {
    if (!isFault(error, 'InvalidPowerState') || !(await isOn(connection, machine.ref, inner))) throw error
  })
  const asked = answerAll(connection, machine, policy, inner)
  asked.catch(() => undefined) // the start may have ended before it
  try {
    await Promise.race([started, asked])
  } finally {
    over.abort()
    await Promise.allSettled([started, asked])
  }
}

/** What a start may change before. */
export interface StartOptions extends CallOptions {
  readonly network: 'as-configured' | 'connected' | 'disconnected'
}

/**
 * Of a machine that is started a replica is none that holds a point any more. With a network it has taken over: what it does from then on must not be replaced. The same
 * holds for one that is still on its way into the place of another.
 */
function startedMark(marked: Marked | undefined, network: StartOptions['network']): Marked | undefined {
  if (!isReplica(marked)) return undefined
  const { mark, point } = marked
  if (network !== 'disconnected') return { purpose: 'machine', mark }
  return point === undefined ? undefined : { purpose: 'replica', mark }
}

/** Made to take over, whether it is in its place yet or not. */
const isReplica = (marked: Marked | undefined): marked is Marked & { readonly purpose: 'replica' | 'replica-swap' } =>
  marked?.purpose === 'replica' || marked?.purpose === 'replica-swap'

/** What the annotation says from before the start on; undefined: as it is. */
function annotationOfStarted(annotation: string, network: StartOptions['network']): string | undefined {
  const marked = startedMark(readMark(annotation), network)
  const unfenced = readFenceMark(annotation) === undefined ? annotation : withoutFence(annotation)
  const text = marked === undefined ? unfenced : withMark(unfenced, marked)
  return text === annotation ? undefined : text
}

/** A replica is the original to its guest; any other machine of ours is a copy. */
function policyFor(marked: Marked | undefined): AnswerPolicy {
  if (isReplica(marked)) return { altered: 'moved' }
  return { altered: marked?.purpose === 'machine' || marked?.purpose === 'machine-unfinished' ? 'copied' : undefined }
}

/**
 * Switches a machine on, with its network cards connected or cut before. Whoever starts a machine lifts its fence: the mark of it goes; that cards are cut, and that the
 * host does not start it by itself, stays as it is. "Moved or copied?" is answered for machines that carry our mark: a replica was moved, anything else copied.
 *
 * A replica holds no point any more before it is started. Started without a network it can still be brought to another point; started otherwise it has taken over, and is
 * a machine like any other from then on, which nothing of ours replaces. So has one that was about to take the place of a replica. Idempotent.
 * @throws IN_USE: it is about to take the place of a replica, or runs already with a network, and is to be started without one. As `powerOn` and `linkCards`.
 */
export async function startMachine(connection: Connection, ref: MoRef<'VirtualMachine'>, { network, signal }: StartOptions): Promise<void> {
  const options = { signal }
  const machine = await readSwitched(connection, ref, options)
  const { name, annotation, question } = machine
  const marked = readMark(annotation)
  if (network === 'disconnected' && marked?.purpose === 'replica-swap')
    throw new HoldfastError('IN_USE', `${name} is about to take the place of a replica: it is not started for a trial now.`, {
      remedy: 'Settle what an earlier run has left, and try it then. To let it take over as it is, start it with its network.',
    })
  const policy = policyFor(marked)
  // Whoever wants a machine that reaches nothing does not mean one that is at work.
  if (network === 'disconnected' && machine.powerState === 'poweredOn' && cardsNot('cut', machine).length > 0)
    throw new HoldfastError('IN_USE', `${name} runs already, and reaches its networks: a start does not cut it off.`, {
      remedy: 'Look whether it is the machine that you mean. To cut it from its networks, fence it, or switch it off first.',
    })
  if (question !== undefined) await answerQuestion(connection, machine, question, policy, options)
  if (network !== 'as-configured') await linkCards(connection, machine, network === 'connected' ? 'connected' : 'cut', options)
  const changed = annotationOfStarted(annotation, network)
  if (changed !== undefined) {
    const spec = { annotation: changed }
    await againWhile(connection, busy, () => runTask(connection, 'ReconfigVM_Task', ref, { spec }, { ...options, name }), options)
  }
  if (machine.powerState !== 'poweredOn') await powerOn(connection, machine, policy, options)
}
