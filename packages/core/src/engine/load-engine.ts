import type { Engine, EngineOptions } from './engine.ts'

/**
 * Composes an engine. Opens the store (which migrates it) and parses all plans, so mistakes are told here: INVALID_OPTIONS with the path, STORE_NEWER,
 * FOREIGN_HOST, DATABASE_LOCKED. Nothing runs before `start()`, except what is asked for by a call.
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  // Loaded when it is first used: whoever imports the package for its types and small parts does not wait for the schemas of everything.
  const engine = await import('./create-engine.ts')
  return await engine.createEngine(options)
}
