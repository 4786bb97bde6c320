import { defineConfig, type Options } from 'tsup'

/**
 * How each package is built: ES modules with declarations, one chunk for what two entries share (so that `HoldfastError` is one class), dependencies
 * left outside.
 *
 * @param entry - name of the built file without its ending -> source file; as in the `exports` of the package
 * @param bundled - dependencies of which the built files hold what they use (docs/decisions/0014-kysely-and-zod-in-built-files.md)
 */
export function packageBuild(entry: Record<string, string>, bundled: readonly string[] = []): Options {
  const options: Options = {
    entry,
    format: ['esm'],
    target: 'node22',
    platform: 'node',
    dts: true,
    clean: true,
    noExternal: [...bundled],
    sourcemap: true,
    // `node:sqlite` has no name without its prefix.
    removeNodeProtocol: false,
    tsconfig: '../../tsconfig.build.json',
  }
  return defineConfig(options) as Options
}
