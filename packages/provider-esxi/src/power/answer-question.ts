import { type CallOptions, HoldfastError } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { isFault } from '../vim25/faults.ts'
import type { Data } from '../vim25/values.ts'
import type { NamedMachine } from './power-state.ts'

/** Which questions are answered without a person. */
export interface AnswerPolicy {
  /**
   * What "moved or copied?" is answered with; undefined: only a person knows. `copied` gives the machine an identity of its own, `moved` leaves it the one that it has:
   * only for what we have made.
   */
  readonly altered: 'copied' | 'moved' | undefined
}

type Question = Data<'VirtualMachineQuestionInfo'>

/** Older hosts give the name of the message in the text alone. */
const asksWhetherCopied = ({ text, message }: Question): boolean =>
  message.some(({ id }) => id === 'msg.uuid.altered') || text.startsWith('msg.uuid.altered')

/** By its words: the keys are only numbers. */
const choiceOf = ({ choice }: Question, answer: 'copied' | 'moved'): string | undefined =>
  choice.choiceInfo.find(({ label, summary }) => `${label} ${summary}`.toLowerCase().includes(answer))?.key

/** How a question and its answers read. Ampersands and underscores in them mark keys. */
function inWords({ text, choice }: Question): string {
  const answers = choice.choiceInfo.map(({ label, summary }) => `"${(summary || label).replaceAll(/[_&](?=\w)/g, '')}"`)
  return `${text.replace(/^msg\.[\w.]+:\s*/, '').trim()} (${answers.join(', ')})`
}

/**
 * Answers the question that a machine waits with, if the policy knows the answer; an answer that somebody gave meanwhile is success.
 * @throws IN_USE (not retryable): any other question, with its text and its answers.
 */
export async function answerQuestion(
  { session }: Connection,
  { ref, name }: NamedMachine,
  question: Question,
  policy: AnswerPolicy,
  options: CallOptions,
): Promise<void> {
  const choice = policy.altered !== undefined && asksWhetherCopied(question) ? choiceOf(question, policy.altered) : undefined
  if (choice === undefined)
    throw new HoldfastError('IN_USE', `${name} waits for an answer: ${inWords(question)}`, {
      retryable: false,
      remedy: 'Answer it in the host client; the machine then goes on by itself.',
      details: { machine: name, question: question.text, answers: question.choice.choiceInfo.map(({ summary }) => summary) },
    })
  try {
    await session.call('AnswerVM', ref, { questionId: question.id, answerChoice: choice }, { ...options, name })
  } catch (error) {
    if (!isFault(error, 'ConcurrentAccess')) throw error
  }
}
