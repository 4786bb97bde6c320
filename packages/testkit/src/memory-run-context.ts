import { HoldfastError, type Intent, type Json, type Mark, type OpenIntent, type Provider, type RunContext } from '@holdfast/core/spec'

/** A run context that keeps everything in memory, for tests of one provider without an engine. */
export interface MemoryRun {
  readonly run: RunContext
  /** Intents that are not undone yet, oldest first, as the store would give them back. */
  readonly intents: readonly Intent[]
  /** Every intent ever stored, undone ones included. */
  readonly intended: readonly Intent[]
  readonly notes: readonly { readonly level: 'info' | 'warning'; readonly code: string; readonly message: string }[]
  readonly steps: readonly { readonly text: string; readonly fraction?: number }[]
  /** Aborts the signal of the run, once; by default with ABORTED. Open intents stay open, to be undone with `undoOpen`. */
  abort(reason?: unknown): void
  /** Undoes the open intents newest first with a fresh signal, as the engine does. `committed`: kept ones stay. `by`: another instance of the provider. */
  undoOpen(options?: { readonly committed?: boolean; readonly by?: Provider }): Promise<readonly Awaited<ReturnType<Provider['undo']>>[]>
}

/** `refuseIntent`: the n-th intent (from 1) cannot be stored, as if the process had died just then. */
export function memoryRunContext({
  provider,
  providerName = 'provider',
  mark = { system: 'testkit', plan: 'contract', run: 'run1', attempt: 1 },
  refuseIntent,
}: {
  readonly provider: Provider
  readonly providerName?: string
  readonly mark?: Mark
  readonly refuseIntent?: number
}): MemoryRun {
  const controller = new AbortController()
  const intended: Intent[] = []
  const notes: { level: 'info' | 'warning'; code: string; message: string }[] = []
  const steps: { text: string; fraction?: number }[] = []
  let open: readonly Intent[] = []

  const change = (id: string, patch: Partial<Intent>) => {
    open = open.map((intent) => (intent.id === id ? { ...intent, ...patch } : intent))
  }
  async function undoOne(id: string, by: Provider): Promise<Awaited<ReturnType<Provider['undo']>> | undefined> {
    const intent = open.find((other) => other.id === id)
    if (!intent) return undefined
    const answer = await by.undo(jsonCopy(intent), { signal: new AbortController().signal })
    open = open.filter((other) => other.id !== id)
    return answer
  }

  async function intend(kind: string, data: Json): Promise<OpenIntent> {
    controller.signal.throwIfAborted()
    if (intended.length + 1 === refuseIntent) throw new HoldfastError('STORE_BUSY', `intent ${refuseIntent} "${kind}" cannot be stored`)
    const id = `intent${intended.length + 1}`
    const intent: Intent = { id, provider: providerName, kind, data: jsonCopy(data), mark, kept: false }
    intended.push(intent)
    await Promise.resolve()
    open = [...open, intent]
    return {
      update: async (next) => change(id, { data: jsonCopy(next) }),
      undo: async () => void (await undoOne(id, provider)),
      keep: () => change(id, { kept: true }),
    }
  }

  return {
    run: {
      mark,
      signal: controller.signal,
      intend,
      note: (level, code, message) => void notes.push({ level, code, message }),
      step: (text, fraction) => void steps.push({ text, ...(fraction !== undefined && { fraction }) }),
    },
    get intents() {
      return open
    },
    intended,
    notes,
    steps,
    abort: (reason) => controller.abort(reason ?? new HoldfastError('ABORTED', 'the test aborted the call')),
    async undoOpen({ committed = false, by = provider } = {}) {
      const answers: Awaited<ReturnType<Provider['undo']>>[] = []
      for (const { id, kept } of open.toReversed()) {
        const answer = committed && kept ? undefined : await undoOne(id, by)
        if (answer !== undefined) answers.push(answer)
      }
      return answers
    },
  }
}

/** What is left of a value after JSON. Throws INVALID_OPTIONS, with the path, when something is lost: undefined members, dates, functions, NaN. */
export function jsonCopy<T>(value: T): T {
  const path = lostInJson(value, '$')
  if (path !== undefined) throw new HoldfastError('INVALID_OPTIONS', `${path} does not survive JSON`)
  return JSON.parse(JSON.stringify(value)) as T
}

function lostInJson(value: unknown, path: string): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : path
  if (typeof value !== 'object') return path
  if (Array.isArray(value)) return value.map((item, index) => lostInJson(item, `${path}[${index}]`)).find((lost) => lost !== undefined)
  if (Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null) return path
  return Object.entries(value)
    .map(([key, item]) => lostInJson(item, `${path}.${key}`))
    .find((lost) => lost !== undefined)
}
