import type { CallOptions } from '@holdfast/core/spec'

/** Runs `work` for all items, some at once, in their order. The first failure stops the others and is thrown when they have ended. */
export async function forAll<Item>(
  items: readonly Item[],
  parallel: number,
  work: (item: Item, options: CallOptions) => Promise<void>,
  { signal }: CallOptions,
): Promise<void> {
  const stop = new AbortController()
  const left = [...items]
  let failure: { readonly error: unknown } | undefined
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      try {
        await work(item, { signal: AbortSignal.any([signal, stop.signal]) })
      } catch (error) {
        failure ??= { error }
        left.length = 0
        stop.abort(error)
      }
    }
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  if (failure !== undefined) throw failure.error
}
