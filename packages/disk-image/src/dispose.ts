/** Runs `use`; when it fails, what it was to take over is disposed and the first error stays. */
export async function takeOver<T>(owned: AsyncDisposable, use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } catch (error) {
    await Promise.allSettled([owned[Symbol.asyncDispose]()])
    throw error
  }
}

/** Disposes all of them, once, even when one fails; then throws the first failure. */
export function disposeOnce(owned: readonly AsyncDisposable[]): () => Promise<void> {
  let result: Promise<void> | undefined
  const disposeAll = async () => {
    const results = await Promise.allSettled(owned.map(async (one) => one[Symbol.asyncDispose]()))
    for (const one of results) if (one.status === 'rejected') throw one.reason
  }
  return () => {
    result ??= disposeAll()
    return result
  }
}
