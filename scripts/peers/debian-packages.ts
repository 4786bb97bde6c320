import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Debian package -> the program by which we know that it is there. */
const packages: Readonly<Record<string, string>> = {
  'docker.io': 'dockerd',
  'qemu-utils': 'qemu-img',
  'busybox-static': 'busybox',
  curl: 'curl',
  zstd: 'zstd',
  openssl: 'openssl',
  python3: 'python3',
  'python3-aiosmtpd': 'aiosmtpd',
}

/** Where a program is: the PATH, then the folders of the administrator, which an ordinary PATH leaves out. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

/** Installs what is missing; answers with the packages it installed. Asks the network for nothing when all is there. */
export function installPackages(): string[] {
  const missing = Object.keys(packages).filter((name) => findProgram(packages[name] ?? name) === undefined)
  if (missing.length === 0) return []
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (findProgram('apt-get') === undefined) {
    throw new Error(`Missing: ${missing.join(', ')}. This script installs on Debian only; install the like of: ${command}`)
  }
  if (process.getuid?.() !== 0) throw new Error(`Missing: ${missing.join(', ')}. Run as root: ${command}`)
  // RUNLEVEL=1 keeps the package from starting an engine for the whole machine: we start one of our own.
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const update = spawnSync('apt-get', ['update', '-qq'], { env: environment, encoding: 'utf8' })
  try {
    execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch (error) {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
    throw new Error(`"${command}" failed:\n${update.stderr}${output}`, { cause: error })
  }
  return missing
}
