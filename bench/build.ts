import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { build } from 'tsup'
import { root } from '../scripts/peers/locations.ts'

/** The measured programs run as an application would run them: built, without a compiler in their memory. */
export async function buildPackages(): Promise<void> {
  const child = spawn('npm', ['run', '--silent', 'build'], { cwd: root, stdio: ['ignore', 2, 2] })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`"npm run build" ended with ${code}.`)
}

const programs = [
  'docker-backup',
  'docker-restore',
  'disk-backup',
  'esxi-backup',
  'esxi-restore',
  'merge-chain',
  'merge-packed',
  'vmdk-read',
  'import-nothing',
  'import-core',
  'retention',
  'plans',
  'tell-memory',
  'restore-http',
]

export async function buildPrograms(): Promise<void> {
  await build({
    entry: Object.fromEntries(programs.map((name) => [name, join(root, `bench/programs/${name}.ts`)])),
    outDir: join(root, 'bench/dist'),
    format: ['esm'],
    target: 'node22',
    platform: 'node',
    external: [/^@holdfast\//],
    tsconfig: join(root, 'tsconfig.build.json'),
    config: false,
    silent: true,
    clean: true,
    splitting: false,
    // node:sqlite has no name without it.
    removeNodeProtocol: false,
  })
}

/** Path of a built program. */
export const programPath = (name: string): string => join(root, `bench/dist/${name}.js`)
