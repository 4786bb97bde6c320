import { openOnce } from './open-once.ts'
import type { Scope } from './scope.ts'
import type { Scratch, ScratchFile } from './scratch.ts'

/** A scratch file for one piece of work: a scratch disk that hangs stalls it, and does not hold it up when it ends. */
export async function openScratch(scratch: Scratch, scope: Scope): Promise<ScratchFile> {
  const file = await openOnce(() => scratch.open(), scope)
  const moving = async (work: Promise<void>) => {
    await scope.race(work)
    scope.touch()
  }
  return {
    write: (bytes, offset) => moving(file.write(bytes, offset)),
    readInto: (target, offset) => moving(file.readInto(target, offset)),
    [Symbol.asyncDispose]: () => scope.settle(Promise.resolve(file[Symbol.asyncDispose]())),
  }
}
