// Runs before `npm test`, `npm run quickstart` and the like, with whatever Node the machine has: plain JavaScript for Node 20, no dependencies.
// Installs exactly what package-lock.json says when node_modules does not hold it; asks the network for nothing otherwise.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Why node_modules must be installed, or undefined when it holds what the lock file says. */
export function whatIsMissing(root) {
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  let installed
  try {
    installed = JSON.parse(readFileSync(join(root, 'node_modules/.package-lock.json'), 'utf8')).packages
  } catch {
    return 'nothing is installed'
  }
  for (const [path, entry] of Object.entries(wanted)) {
    // Packages for other platforms are optional and stay away.
    if (!path.startsWith('node_modules/') || entry.optional || entry.devOptional) continue
    if (installed[path] === undefined) return `${path} is missing`
    if (installed[path].version !== entry.version) return `${path} is ${installed[path].version} instead of ${entry.version}`
  }
  // The newest Node comes from a package whose install script fetches the program itself.
  return existsSync(join(root, 'node_modules/node/bin/node')) ? undefined : 'the program of the package node is missing'
}

function install(root) {
  const begin = Date.now()
  process.stderr.write('Installing the tools from package-lock.json, once ... ')
  const result = spawnSync('npm', ['ci', '--loglevel=error', '--no-progress', '--no-audit', '--no-fund'], {
    cwd: root,
    encoding: 'utf8',
    // npm hands its settings down by the environment: without this the inner npm would take part in the outer script.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(lifecycle|package|command)/.test(name))),
  })
  if (result.status !== 0) {
    process.stderr.write(
      `failed\n${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}\n"npm ci" failed: is the network there?\n`,
    )
    process.exit(1)
  }
  process.stderr.write(`done in ${Math.round((Date.now() - begin) / 1000)} s\n`)
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const root = fileURLToPath(new URL('..', import.meta.url))
  if (whatIsMissing(root) !== undefined) install(root)
}
