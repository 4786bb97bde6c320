import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

/** The child as one file: it starts in a third of the time, and it is started thousands of times. Gives the path of the script. */
export async function bundleChild(folder: string, name = 'child', beside = import.meta.url): Promise<string> {
  const entry = fileURLToPath(new URL(`./${name}.ts`, beside))
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
      // What is bundled may ask for a module of Node.js as CommonJS does.
      options.banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" }
    },
  })
  return join(folder, 'bundle', `${basename(name)}.mjs`)
}
