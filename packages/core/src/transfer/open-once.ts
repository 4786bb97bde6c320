import type { Scope } from './scope.ts'

/** Awaits an `open` of a plug-in; what it opens after the scope has failed is closed at once. */
export async function openOnce<T extends Partial<AsyncDisposable>>(open: () => Promise<T>, scope: Scope): Promise<T> {
  const opening = (async () => open())()
  try {
    const opened = await scope.race(opening)
    scope.touch()
    return opened
  } catch (error) {
    opening.then(
      (late) => Promise.resolve(late[Symbol.asyncDispose]?.()).catch(() => {}),
      () => {},
    )
    throw error
  }
}
