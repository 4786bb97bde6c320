import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** `<!-- snippet: examples/01-quickstart/quickstart.ts#name -->`, then a code block that this script fills. */
const place = /(<!-- snippet: ([^\s#]+)#([\w-]+) -->\n)```ts\n[\s\S]*?```/g

/** Part of a source file between the lines `// #region name` and `// #endregion name`, its common indentation removed. */
export function region(text: string, name: string, path: string): string {
  const lines = text.split('\n')
  const [from, to] = ['region', 'endregion'].map((word) => lines.findIndex((line) => line.trim() === `// #${word} ${name}`))
  if (from === undefined || to === undefined || from < 0 || to < from) throw new Error(`${path} has no region "${name}"`)
  const inside = lines.slice(from + 1, to)
  const indent = Math.min(...inside.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length))
  return inside.map((line) => line.slice(indent)).join('\n')
}

/** The text of a page with every snippet taken anew from its source file. */
export function fillSnippets(page: string, read: (path: string) => string): string {
  return page.replace(place, (_, head: string, path: string, name: string) => `${head}\`\`\`ts\n${region(read(path), name, path)}\n\`\`\``)
}

/** Reads files of this repository. */
export function readFrom(root: string): (path: string) => string {
  return (path) => readFileSync(join(root, path), 'utf8')
}
