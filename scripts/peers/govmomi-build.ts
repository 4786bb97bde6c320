import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from './debian-packages.ts'
import { type PeerLocations, root } from './locations.ts'

const sources = join(root, 'scripts/peers/govmomi')
const oldestGo = [1, 24] as const

/** The programs of `scripts/peers/govmomi`, built. */
export interface GovmomiPrograms {
  /** A simulated ESXi host or vCenter server, see govmomi-host.ts. */
  readonly host: string
  readonly govc: string
}

/** Another one with each change of a source, so that no test runs against a program of yesterday. */
function sourceHash(): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(sources, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(sources, name)
    if (/\.(go|mod|sum|tmpl)$/.test(name)) hash.update(`${name}\n`).update(readFileSync(path))
  }
  return hash.digest('hex').slice(0, 16)
}

const builtFolder = (places: PeerLocations): string => join(places.folder, 'govmomi', sourceHash())
const programsIn = (folder: string): GovmomiPrograms => ({ host: join(folder, 'host'), govc: join(folder, 'govc') })

/** What `npm run peers` has built of the sources as they are now, or why there is nothing. */
export function findGovmomi(places: PeerLocations): GovmomiPrograms | { readonly missing: string } {
  const folder = builtFolder(places)
  if (existsSync(folder)) return programsIn(folder)
  const go = findGo()
  return typeof go === 'string' ? { missing: 'not built of the sources as they are now' } : go
}

/** Where the installation of Go puts it, which leaves the PATH to the user. */
const usualGo = '/usr/local/go/bin/go'

function findGo(): string | { readonly missing: string } {
  const go = findProgram('go') ?? (existsSync(usualGo) ? usualGo : undefined)
  const wanted = `Go ${oldestGo.join('.')} or newer`
  if (go === undefined) return { missing: `${wanted} is neither in the PATH nor in /usr/local/go` }
  const version = execFileSync(go, ['env', 'GOVERSION'], { encoding: 'utf8', cwd: '/' }).trim()
  const [major = 0, minor = 0] = /^go(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number) ?? []
  const fits = major > oldestGo[0] || (major === oldestGo[0] && minor >= oldestGo[1])
  return fits ? go : { missing: `${wanted} is needed, ${version} is here` }
}

/**
 * Builds the programs unless they are there. Takes about half a minute the first time, and downloads what the module needs.
 * @returns What became of it, for people.
 */
export function buildGovmomi(places: PeerLocations): string {
  const folder = builtFolder(places)
  if (existsSync(folder)) return 'was built'
  const go = findGo()
  if (typeof go !== 'string') return `MISSING: ${go.missing}; install it, then: npm run peers`
  const fresh = join(places.folder, 'govmomi', 'fresh')
  rmSync(join(places.folder, 'govmomi'), { recursive: true, force: true })
  mkdirSync(fresh, { recursive: true })
  // The toolchain that is here, or none: another one would be downloaded. Without C it runs on any Linux.
  const environment = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly', GOWORK: 'off', CGO_ENABLED: '0' }
  const run = (...parameters: string[]) =>
    execFileSync(go, parameters, { cwd: sources, env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  try {
    run('build', '-buildvcs=false', '-o', `${fresh}/`, './...')
    run('vet', './...')
  } catch (error) {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
    throw new Error(`the govmomi peer could not be built:\n${output}`, { cause: error })
  }
  renameSync(fresh, folder)
  return 'built'
}
