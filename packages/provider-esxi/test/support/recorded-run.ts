import type { Intent, Mark, RunContext } from '@holdfast/core/spec'
import { jsonCopy } from '@holdfast/testkit'

/** A run of which a test sees the intents as they are stored. Nothing is undone by it. */
export function recordedRun(mark: Mark): {
  readonly run: RunContext
  readonly intents: readonly Intent[]
  readonly steps: readonly string[]
} {
  const intents: Intent[] = []
  const steps: string[] = []
  return {
    intents,
    steps,
    run: {
      mark,
      signal: new AbortController().signal,
      async intend(kind, data) {
        const at = intents.push({ id: `intent${intents.length + 1}`, provider: 'esxi', kind, data: jsonCopy(data), mark, kept: false }) - 1
        const change = (patch: Partial<Intent>) => {
          intents[at] = { ...(intents[at] as Intent), ...patch }
        }
        return {
          update: async (next) => change({ data: jsonCopy(next) }),
          undo: () => Promise.reject(new Error('nothing is undone here')),
          keep: () => change({ kept: true }),
        }
      },
      note() {},
      step: (text) => void steps.push(text),
    },
  }
}
