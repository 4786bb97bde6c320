import { describe, expect, it } from 'vitest'
import { fillSnippets } from './snippets.ts'

const source =
  'import x\n\nasync function main() {\n  // #region start\n  const a = 1\n  if (a) {\n    b()\n  }\n  // #endregion start\n}\n'
const page = (code: string) => `# Title\n\n<!-- snippet: examples/x.ts#start -->\n\`\`\`ts\n${code}\n\`\`\`\n\nText\n`

describe('a snippet of a page', () => {
  it('is the region of the file it names, without its indentation', () => {
    expect(fillSnippets(page('old'), () => source)).toBe(page('const a = 1\nif (a) {\n  b()\n}'))
  })

  it('stays as it is when it is up to date', () => {
    const once = fillSnippets(page('old'), () => source)
    expect(fillSnippets(once, () => source)).toBe(once)
  })

  it('fails when the region is gone', () => {
    expect(() => fillSnippets(page('old'), () => 'nothing')).toThrow('examples/x.ts has no region "start"')
  })
})
