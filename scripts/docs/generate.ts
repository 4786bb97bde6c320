// npm run docs:generate: writes the pages that come from code. With --check it only compares.
//   - snippets in README.md, docs/guide/*.md and the packages' README.md come from marked regions of files that CI runs
//   - each scripts/docs/pages/*.ts exports `page()`: { path, text } of a page it makes whole (docs/errors.md from the table of codes)
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { keepGenerated } from '../check/generated-files.ts'
import { root } from '../peers/locations.ts'
import { fillSnippets, readFrom } from './snippets.ts'

/** What a file in scripts/docs/pages exports. */
export interface GeneratedPage {
  /** Relative to the root of the repository. */
  path: string
  text: string
}

async function main(): Promise<void> {
  const texts = new Map<string, string>()
  for (const path of globSync(['*.md', 'docs/**/*.md', 'packages/*/README.md', 'examples/*/README.md'], { cwd: root }).sort()) {
    const page = readFileSync(join(root, path), 'utf8')
    try {
      texts.set(path, fillSnippets(page, readFrom(root)))
    } catch (error) {
      process.stdout.write(`${path}: ${error instanceof Error ? error.message : String(error)}\n`)
      process.exitCode = 1
    }
  }
  for (const path of globSync('scripts/docs/pages/*.ts', { cwd: root }).sort()) {
    if (path.endsWith('.test.ts')) continue
    const module: { page(): GeneratedPage | Promise<GeneratedPage> } = await import(pathToFileURL(join(root, path)).href)
    const { path: target, text } = await module.page()
    texts.set(target, text)
  }
  keepGenerated(texts, { write: !process.argv.includes('--check'), command: 'npm run docs:generate' })
}

await main()
