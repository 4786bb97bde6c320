import { Worker } from 'node:worker_threads'
import { DiskImageError } from '../../errors.ts'
import type { PackJob, WorkerSetup } from './worker-messages.ts'

/** Threads that pack slots. Disposing ends them at once, whatever they do. */
export interface WorkerPool extends AsyncDisposable {
  /** Resolves when the slot is packed. Rejects with INTERNAL, now and ever after, when a worker has died. */
  run(job: PackJob): Promise<void>
}

interface Member {
  readonly worker: Worker
  /** Jobs that it was given and has not answered, in their order. */
  readonly waiting: PromiseWithResolvers<void>[]
}

/** Beside this file in the source; a file of its own in what is built, where this one is part of the index. */
const ownScript = new URL(new URL(import.meta.url).pathname.endsWith('.ts') ? './worker.ts' : './pack-worker.js', import.meta.url)

/** A thread holds hardly anything. With the limits that Node sets by itself it lets buffers lie about for long before it collects them: 20 MiB more for each. */
const resourceLimits = { maxOldGenerationSizeMb: 32 }

function died(why: string, cause?: unknown): DiskImageError {
  return new DiskImageError('INTERNAL', `a thread that packs clusters ${why}`, cause === undefined ? {} : { cause })
}

/** @param script For tests: another one than ours. */
export function startWorkerPool(workers: number, setup: WorkerSetup, script: URL = ownScript): WorkerPool {
  const members: Member[] = []
  let failure: DiskImageError | undefined
  const fail = (error: DiskImageError) => {
    failure ??= error
    for (const { waiting } of members) for (const { reject } of waiting.splice(0)) reject(failure)
  }
  const start = () => {
    // The flags of the process may not fit a thread of ours (`--input-type`, `--import`), and it needs none.
    const worker = new Worker(script, { workerData: setup, execArgv: [], name: 'holdfast-pack', resourceLimits })
    const waiting: PromiseWithResolvers<void>[] = []
    worker.on('message', () => waiting.shift()?.resolve())
    worker.on('messageerror', (error) => fail(died('answered what cannot be read', error)))
    worker.on('error', (error) => fail(died(`failed: ${error instanceof Error ? error.message : String(error)}`, error)))
    worker.on('exit', (code) => fail(died(`ended by itself with ${code}`)))
    members.push({ worker, waiting })
  }
  try {
    while (members.length < workers) start()
  } catch (error) {
    fail(died('cannot be started', error))
  }
  return {
    async run(job) {
      if (failure !== undefined) throw failure
      const member = members.reduce((least, one) => (one.waiting.length < least.waiting.length ? one : least))
      const answer = Promise.withResolvers<void>()
      member.waiting.push(answer)
      member.worker.postMessage(job)
      await answer.promise
    },
    async [Symbol.asyncDispose]() {
      fail(died('was ended'))
      await Promise.all(members.map(({ worker }) => worker.terminate()))
    },
  }
}
