import type { CallOptions } from './blocks.ts'
import type { Json } from './json.ts'

/**
 * Written on everything a provider creates, with "unfinished" where the platform lets it be removed again. A provider deletes or overwrites nothing
 * without its mark, but the `target` of a `recover`. "Unfinished" is removed before power-on and before the run is told of success. Names made on a
 * platform carry run and attempt; undo touches only its own attempt. JSON.
 */
export interface Mark {
  /** `createEngine({ system })`: kept by the application, so it survives the loss of the store. Another system's things are never touched. */
  readonly system: string
  /** Name of the plan; empty for a run by hand. */
  readonly plan: string
  /** The hash of the run's key: 16 hex digits, the same as in the name of the point's folder. */
  readonly run: string
  /** From 1. */
  readonly attempt: number
}

/** A durable note: "undo this unless it is kept". JSON. It holds enough to find the thing by name and mark, because its id is not known yet. */
export interface Intent {
  /** Unique. */
  readonly id: string
  /** Name of the provider that wrote it and undoes it. */
  readonly provider: string
  /** The provider's word for the kind of undo: `remove-volume`. A later version must still understand it. */
  readonly kind: string
  /** The provider's own; never a secret. */
  readonly data: Json
  /** Of the attempt that wrote it. */
  readonly mark: Mark
  /** What was made shall stay if the run commits. */
  readonly kept: boolean
}

/** An intent that is written down and not yet undone. */
export interface OpenIntent {
  /** Replaces its data, to add what the side effect told us, for example an id. Durable when it resolves; repeatable. */
  update(data: Json): Promise<void>
  /** Undoes now through {@link Provider.undo}, for what must not wait for the commit; rejects if that fails, and the intent stays open for recovery. */
  undo(): Promise<void>
  /** What was made shall stay if the run commits (the flag is stored before the commit); a test restore ignores it and undoes after its probe. */
  keep(): void
}

/**
 * Given to everything with side effects. Still open intents are undone newest first: after the commit, at failure, after a crash. A provider therefore
 * never cleans up durable things in `finally`; there it closes only what dies with the process. `signal` aborts on cancel, shutdown and a lost lease:
 * start nothing new, reject soon.
 */
export interface RunContext extends CallOptions {
  /** To be written on everything that is created. */
  readonly mark: Mark
  /** Await it before the side effect: when it resolves, the intent is durable. Rejects with STALE_LEASE when another worker has taken over: do nothing then. */
  intend(kind: string, data: Json): Promise<OpenIntent>
  /** Something worth knowing that is no failure; a warning is kept in the manifest. `code` is in capitals, for programs. Does not throw. */
  note(level: 'info' | 'warning', code: string, message: string): void
  /** What is being waited for, in words people read; `fraction` is 0 to 1. Bytes are counted by the engine. Cheap; does not throw. */
  step(text: string, fraction?: number): void
}
