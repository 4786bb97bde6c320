import { HoldfastError, type Mark, type Provider } from '@holdfast/core/spec'
import { type MemoryRun, memoryRunContext } from '../memory-run-context.ts'
import type { SaidWords } from './said-words.ts'

/** A run whose every text is looked at, and of which is known whether it came to the intent that cannot be stored. */
export interface ContractRun extends MemoryRun {
  readonly refused: boolean
}

/** `refuseIntent`: the n-th intent (from 1) and all after it cannot be stored. */
export function contractRun(options: {
  readonly provider: Provider
  readonly mark: Mark
  readonly refuseIntent: number | undefined
  readonly said: SaidWords
}): ContractRun {
  const { provider, mark, refuseIntent, said } = options
  const memory = memoryRunContext({ provider, mark })
  const { run } = memory
  let asked = 0
  let refused = false
  return {
    run: {
      ...run,
      async intend(kind, data) {
        run.signal.throwIfAborted()
        said.see(`the data of intent "${kind}"`, data)
        refused ||= ++asked === refuseIntent
        if (refused) throw new HoldfastError('STORE_BUSY', `intent ${refuseIntent} "${kind}" cannot be stored`)
        const intent = await run.intend(kind, data)
        return {
          ...intent,
          async update(next) {
            said.see(`the updated data of intent "${kind}"`, next)
            await intent.update(next)
          },
        }
      },
      note(level, code, message) {
        said.see(`note ${code}`, message)
        run.note(level, code, message)
      },
      step(text, fraction) {
        said.see('the text of a step', text)
        run.step(text, fraction)
      },
    },
    get intents() {
      return memory.intents
    },
    intended: memory.intended,
    notes: memory.notes,
    steps: memory.steps,
    abort: memory.abort,
    undoOpen: memory.undoOpen,
    get refused() {
      return refused
    },
  }
}
