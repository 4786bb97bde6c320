import type { BlockSource, MappedBlocks } from '../spec/blocks.ts'
import { type Flow, iterate, waiting } from './chunks.ts'
import type { Scope } from './scope.ts'

/** A block source of a plug-in under the scope: reads are counted, held back and watched, a read that hangs ends with the scope, dispose happens once. */
export function guardedSource(source: BlockSource, scope: Scope, flow: Flow): BlockSource {
  let disposed: Promise<void> | undefined
  return {
    size: source.size,
    ...(source.readers !== undefined && { readers: source.readers }),
    ...(source.readBytes !== undefined && { readBytes: source.readBytes }),
    async readInto(target, offset) {
      await scope.race(source.readInto(target, offset, { signal: scope.signal }))
      scope.touch()
      const held = flow.pass(target.length, scope)
      if (held !== undefined) await waiting(held, scope)
    },
    [Symbol.asyncDispose]() {
      disposed ??= scope.settle(Promise.resolve(source[Symbol.asyncDispose]()))
      return disposed
    },
  }
}

export function guardedBlocks(blocks: MappedBlocks, scope: Scope, flow: Flow): MappedBlocks {
  return { ...guardedSource(blocks, scope, flow), extents: () => iterate(blocks.extents({ signal: scope.signal }), scope) }
}
