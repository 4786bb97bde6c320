// npm run exports:accept writes docs/exports/<package>.txt: every name that a package exports. `npm run check` fails when such a file is not up to date,
// so that a new export, which must be kept for years, is seen by who reviews the change.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from '../peers/locations.ts'
import { keepGenerated } from './generated-files.ts'
import { packageFolders } from './source-files.ts'

/** One line per export: the kind and the name, under a line per entry point. */
export function exportList(program: ts.Program, entries: ReadonlyMap<string, string>): string {
  const checker = program.getTypeChecker()
  const lines: string[] = []
  for (const [entry, path] of entries) {
    lines.push(`# ${entry}`)
    const file = program.getSourceFile(path)
    const module = file && checker.getSymbolAtLocation(file)
    // A file without any export is not a module; an empty list is what it exports.
    const symbols = module === undefined ? [] : checker.getExportsOfModule(module)
    const rows = symbols.map((symbol) => `${kindOf(resolve(checker, symbol))} ${symbol.name}`)
    lines.push(...rows.sort(byName), '')
  }
  return lines.join('\n')
}

function byName(a: string, b: string): number {
  const [left, right] = [a.split(' ')[1] ?? '', b.split(' ')[1] ?? '']
  return left < right ? -1 : left > right ? 1 : 0
}

function resolve(checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
}

function kindOf(symbol: ts.Symbol): string {
  if (symbol.flags & ts.SymbolFlags.Class) return 'class'
  if (symbol.flags & ts.SymbolFlags.Function) return 'function'
  if (symbol.flags & ts.SymbolFlags.Variable) return 'const'
  return 'type'
}

/** Entry points of a package as its `exports` name them: '@holdfast/core/spec' -> absolute path of its source. */
export function entriesOf(folder: string): Map<string, string> {
  const manifest: { name: string; exports: Record<string, { '@holdfast/source': string }> } = JSON.parse(
    readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'),
  )
  return new Map(
    Object.entries(manifest.exports).map(([key, target]) => [
      `${manifest.name}${key.slice(1)}`,
      join(root, 'packages', folder, target['@holdfast/source']),
    ]),
  )
}

function main(): void {
  const configuration = ts.getParsedCommandLineOfConfigFile(
    join(root, 'tsconfig.json'),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} },
  )
  const folders = packageFolders()
  const program = ts.createProgram(
    folders.flatMap((folder) => [...entriesOf(folder).values()]),
    configuration?.options ?? {},
  )
  const texts = new Map(folders.map((folder) => [`docs/exports/${folder}.txt`, exportList(program, entriesOf(folder))]))
  keepGenerated(texts, { write: process.argv.includes('--write'), command: 'npm run exports:accept' })
}

if (import.meta.main) main()
