import type { CallOptions } from './blocks.ts'
import type { Json } from './json.ts'

/**
 * Written on everything a provider creates, with "unfinished" where the platform lets it be removed again. It deletes or overwrites nothing
 * without its mark, but the `target` of a `recover`. "Unfinished" is removed before power-on and before the run is told of success. `system` is
 * `createEngine({ system })`, kept by the application, so it survives the loss of the store; `run` is the hash of the run key (the one in the folder
 * name). Names made on a platform carry run and attempt; undo touches only its own attempt.
 */
export interface Mark {
  readonly system: string
  readonly plan: string
  readonly run: string
  readonly attempt: number
}
/** A durable note: "undo this unless it is kept". Enough to find the thing by name and mark, because its id is not known yet. */
export interface Intent {
  readonly id: string
  readonly provider: string
  readonly kind: string
  readonly data: Json
  readonly mark: Mark
  readonly kept: boolean
}
export interface OpenIntent {
  /** Adds what the side effect told us, for example an id. */
  update(data: Json): Promise<void>
  /** Undoes now through {@link Provider.undo}; rejects if that fails, and the intent stays open for recovery. */
  undo(): Promise<void>
  /** What was made shall stay if the run commits (the flag is stored before the commit); a test restore ignores it and undoes after its probe. */
  keep(): void
}
/** Given to everything with side effects. Still open intents are undone newest first: after the commit, at failure, after a crash. */
export interface RunContext extends CallOptions {
  readonly mark: Mark
  /** Await it before the side effect. */
  intend(kind: string, data: Json): Promise<OpenIntent>
  note(level: 'info' | 'warning', code: string, message: string): void
  /** What is being waited for, in words people read; `fraction` is 0 to 1. Bytes are counted by the engine. */
  step(text: string, fraction?: number): void
}
