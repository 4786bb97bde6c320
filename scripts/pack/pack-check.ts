// npm run pack:check: what would be published is packed, looked at by publint and attw, then installed nowhere but unpacked and imported by a plain Node.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { packageFolders } from '../check/source-files.ts'
import { root } from '../peers/locations.ts'

interface Manifest {
  name: string
  exports: Record<string, unknown>
  dependencies?: Record<string, string>
}

const bin = join(root, 'node_modules/.bin')
const folder = mkdtempSync(join(tmpdir(), 'holdfast-pack-'))
let failed = 0

function step(name: string, program: string, parameters: string[], cwd: string): void {
  const { status, stdout, stderr } = spawnSync(program, parameters, { cwd, encoding: 'utf8' })
  process.stdout.write(`${status === 0 ? 'ok    ' : 'FAILED'} ${name}\n`)
  if (status === 0) return
  failed += 1
  process.stdout.write(`${stdout}${stderr}\n`)
}

function readManifest(name: string): Manifest {
  return JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'))
}

/** Packs a package and unpacks it where an application would have it. */
function packAndUnpack(name: string, manifest: Manifest): string {
  const answer = execFileSync('npm', ['pack', '--json', '--loglevel=error', '--pack-destination', folder], {
    cwd: join(root, 'packages', name),
    encoding: 'utf8',
  })
  const [{ filename }]: [{ filename: string }] = JSON.parse(answer)
  const target = join(folder, 'app/node_modules', manifest.name)
  mkdirSync(target, { recursive: true })
  execFileSync('tar', ['-xzf', join(folder, filename), '-C', target, '--strip-components=1'])
  return join(folder, filename)
}

/** The dependencies that are not ours come from this checkout; ours only from the tarballs. */
function linkDependencies(manifest: Manifest): void {
  for (const name of Object.keys(manifest.dependencies ?? {}).filter((each) => !each.startsWith('@holdfast/'))) {
    const target = join(folder, 'app/node_modules', name)
    mkdirSync(dirname(target), { recursive: true })
    rmSync(target, { force: true })
    symlinkSync(join(root, 'node_modules', name), target)
  }
}

function main(): void {
  step('build', join(bin, 'turbo'), ['run', 'build', '--output-logs=errors-only'], root)
  const packages = packageFolders().map((name) => ({ name, manifest: readManifest(name) }))
  const archives = packages.map(({ name, manifest }) => ({ name, archive: packAndUnpack(name, manifest) }))
  for (const { manifest } of packages) linkDependencies(manifest)
  for (const { name, archive } of archives) {
    step(`publint ${name}`, join(bin, 'publint'), ['run', archive, '--strict'], root)
    step(`attw ${name}`, join(bin, 'attw'), [archive, '--profile', 'esm-only'], root)
  }
  for (const { name, manifest } of packages) {
    step(`licence and read-me ${name}`, 'ls', ['LICENSE', 'README.md'], join(folder, 'app/node_modules', manifest.name))
  }
  const specifiers = packages.flatMap(({ manifest }) => Object.keys(manifest.exports).map((key) => `${manifest.name}${key.slice(1)}`))
  const lines = specifiers.map((specifier) => `if (typeof (await import('${specifier}')) !== 'object') throw new Error('${specifier}')`)
  writeFileSync(join(folder, 'app/import-all.mjs'), `${lines.join('\n')}\n`)
  step(`import of ${specifiers.length} packed entry points`, process.execPath, ['import-all.mjs'], join(folder, 'app'))
}

try {
  main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.stdout.write(failed === 0 ? 'pack check: all ok\n' : `pack check: ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1
