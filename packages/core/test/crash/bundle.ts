import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

/** The child as one file: it starts in a third of the time, and it is started thousands of times. Gives the path of the script. */
export async function bundleChild(folder: string, name = 'child'): Promise<string> {
  const entry = fileURLToPath(new URL(`./${name}.ts`, import.meta.url))
  await build({
    config: false,
    entry: [entry],
    outDir: join(folder, 'bundle'),
    format: 'esm',
    platform: 'node',
    target: 'node22',
    noExternal: [/.*/],
    removeNodeProtocol: false, // 'node:sqlite' has no other name
    silent: true,
    outExtension: () => ({ js: '.mjs' }),
    esbuildOptions(options) {
      options.conditions = ['@holdfast/source']
    },
  })
  return join(folder, 'bundle', `${name}.mjs`)
}
