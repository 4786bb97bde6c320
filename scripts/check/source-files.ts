import { globSync } from 'node:fs'
import { root } from '../peers/locations.ts'

/** Source files of the packages, tests and their fixtures left out, relative to the root of the repository, sorted. */
export function sourceFiles(): string[] {
  return globSync('packages/*/src/**/*.ts', { cwd: root })
    .filter((path) => !path.endsWith('.test.ts') && !path.includes('/__fixtures__/'))
    .sort()
}

/** Folder names of all packages, sorted. */
export function packageFolders(): string[] {
  return globSync('packages/*/package.json', { cwd: root })
    .map((path) => path.split('/')[1] ?? '')
    .sort()
}
