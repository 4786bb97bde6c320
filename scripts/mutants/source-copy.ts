import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Edit } from './mutant.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const schedules = 'packages/core/test/schedules'

/** A copy of the sources in a temporary folder, in which a text may be exchanged. */
export interface SourceCopy {
  readonly folder: string
  /** Makes the edits and gives back what undoes them. Throws when a text is not there exactly once: the source has changed, and the mutant with it. */
  apply(edits: readonly Edit[]): () => void
  remove(): void
}

export function copySources(): SourceCopy {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-mutant-'))
  const packages = readdirSync(join(root, 'packages')).filter((name) => existsSync(join(root, 'packages', name, 'package.json')))
  for (const name of packages) {
    const target = join(folder, 'packages', name)
    mkdirSync(target, { recursive: true })
    cpSync(join(root, 'packages', name, 'package.json'), join(target, 'package.json'))
    cpSync(join(root, 'packages', name, 'src'), join(target, 'src'), { recursive: true })
  }
  cpSync(join(root, schedules), join(folder, schedules), { recursive: true })
  cpSync(join(root, 'package.json'), join(folder, 'package.json'))
  linkModules(folder, packages)
  return {
    folder,
    apply(edits) {
      const before = new Map<string, string>()
      const undo = () => {
        for (const [file, text] of before) writeFileSync(join(folder, file), text)
      }
      for (const { file, find, replace } of edits) {
        const text = readFileSync(join(folder, file), 'utf8')
        const count = text.split(find).length - 1
        if (count !== 1) {
          undo()
          throw new Error(`${file}: the text of the mutant is there ${count} times, not once:\n${find}`)
        }
        if (!before.has(file)) before.set(file, text)
        writeFileSync(
          join(folder, file),
          text.replace(find, () => replace),
        )
      }
      return undo
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Third-party packages are linked; our own are those of the copy. */
function linkModules(folder: string, packages: readonly string[]): void {
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, '@holdfast'), { recursive: true })
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== '@holdfast') symlinkSync(join(root, 'node_modules', name), join(modules, name))
  }
  for (const name of packages) {
    const { name: full } = JSON.parse(readFileSync(join(folder, 'packages', name, 'package.json'), 'utf8')) as { readonly name: string }
    const link = join(modules, full)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(folder, 'packages', name), link)
  }
}
