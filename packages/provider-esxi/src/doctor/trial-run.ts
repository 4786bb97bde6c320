import type { CallOptions, Intent, RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { undoIntent } from '../undo.ts'

/** Does something as a run of its own. What that makes is undone at the end, whatever happens, also after an abort. */
export async function asTrial<Result>(
  connection: Connection,
  { signal }: CallOptions,
  work: (run: RunContext) => Promise<Result>,
): Promise<Result> {
  const intents: Intent[] = []
  const mark = { system: 'holdfast-trial', plan: '', run: connection.clock.now().toString(16).padStart(16, '0'), attempt: 1 }
  const run: RunContext = {
    signal,
    mark,
    async intend(kind, data) {
      const at = intents.push({ id: `trial-${intents.length + 1}`, provider: 'esxi', kind, data, mark, kept: false }) - 1
      return {
        async update(next) {
          intents[at] = { ...(intents[at] as Intent), data: next }
        },
        async undo() {},
        keep() {},
      }
    },
    note() {},
    step() {},
  }
  try {
    return await work(run)
  } finally {
    for (const intent of intents.toReversed()) await undoIntent(connection, intent, { signal: new AbortController().signal })
  }
}
