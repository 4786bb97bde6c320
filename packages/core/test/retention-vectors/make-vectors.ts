// node --conditions=@holdfast/source packages/core/test/retention-vectors/make-vectors.ts restic [another-restic ...]
// Then: npx biome check --write packages/core/test/retention-vectors
// Asks real restic programs what they would keep, and writes vectors.json. The first one makes the snapshots (some minutes); all of them are asked.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RetentionPolicyInput, retentionSchema } from '../../src/retention/index.ts'
import { type DifferenceName, differences, explain } from './differences.ts'
import { type History, histories } from './histories.ts'
import { kept } from './kept.ts'
import { policies, refusedPolicies } from './policies.ts'
import type { Vector, VectorFile } from './vector-file.ts'

/** For us; restic reads the clock of the machine. Between the last history and the future. */
const now = '2026-01-01T00:00:00.000Z'
const folder = mkdtempSync(join(tmpdir(), 'holdfast-retention-vectors-'))
const secret = { RESTIC_PASSWORD: 'vectors', RESTIC_REPOSITORY: join(folder, 'repository'), RESTIC_CACHE_DIR: join(folder, 'cache') }

interface Snapshot {
  readonly time: string
  readonly hostname: string
}
interface Forgotten {
  readonly host: string
  readonly keep: readonly Snapshot[] | null
  readonly remove: readonly Snapshot[] | null
}

function restic(program: string, words: readonly string[], zone = 'UTC'): string {
  const { status, stdout, stderr } = spawnSync(program, words, {
    cwd: folder,
    env: { ...secret, TZ: zone, HOME: folder },
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${program} ${words.join(' ')} ended with ${status}: ${stderr}`)
  return stdout
}

const versionOf = (program: string): string => /^restic (\S+)/.exec(restic(program, ['version']))?.[1] ?? program

/** Minutes that local time is ahead of UTC. */
function offsetOf(zone: string, time: number): number {
  const text = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' }).format(time)
  const [, sign, hours, minutes] = /GMT([+-])(\d\d):(\d\d)$/.exec(text) ?? []
  return (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0))
}

/** restic takes local times only, and in the overlap of autumn one of them names two moments: so the machine gets a zone that has just the right offset. */
function backup(program: string, { name, zone }: History, time: number): void {
  const offset = offsetOf(zone, time)
  const machineZone = offset % 60 === 0 ? `Etc/GMT${offset > 0 ? '-' : '+'}${Math.abs(offset / 60)}` : zone
  const local = new Date(time + offset * 60_000).toISOString().slice(0, 19).replace('T', ' ')
  restic(program, ['backup', '--quiet', '--host', name, '--time', local, 'tiny.txt'], machineZone)
}

/** What was stored is what was meant, with its offset. */
function proveSnapshots(program: string): void {
  const found = JSON.parse(restic(program, ['snapshots', '--json'])) as readonly Snapshot[]
  for (const { name, zone, times } of histories) {
    const stored = found.filter(({ hostname }) => hostname === name).map(({ time }) => time)
    const offsets = stored.map((time) =>
      time.endsWith('Z') ? 0 : Number(`${time.at(-6)}1`) * (Number(time.slice(-5, -3)) * 60 + Number(time.slice(-2))),
    )
    const right = times.every((time) => stored.some((text, at) => Date.parse(text) === time && offsets[at] === offsetOf(zone, time)))
    if (!right || stored.length !== times.length) throw new Error(`The snapshots of ${name} are not those that were asked for: ${stored}`)
  }
}

function flagsOf(policy: RetentionPolicyInput): readonly string[] {
  return Object.entries(policy).flatMap(([rule, value]) => [`--keep-${rule}`, String(value)])
}

/** Positions of what restic keeps, by history. One call for all: it makes one group of each machine. */
function forget(program: string, policy: RetentionPolicyInput): ReadonlyMap<string, readonly number[]> {
  const groups = JSON.parse(restic(program, ['forget', '--dry-run', '--json', ...flagsOf(policy)])) as readonly Forgotten[]
  return new Map(
    histories.map(({ name, times }) => {
      const keep = groups.find(({ host }) => host === name)?.keep ?? []
      return [name, keep.map(({ time }) => times.indexOf(Date.parse(time))).sort((a, b) => a - b)]
    }),
  )
}

function vectorsOf(
  policy: Omit<RetentionPolicyInput, 'zone'>,
  answers: ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>,
): Vector[] {
  return histories.map((history) => {
    const ours = kept(history, retentionSchema.parse({ ...policy, zone: history.zone }), Date.parse(now))
    const others = [...answers].map(([version, byHistory]) => [version, byHistory.get(history.name) ?? []] as const)
    const different = others.flatMap(([version, keep]): [string, readonly DifferenceName[]][] => {
      if (String(keep) === String(ours)) return []
      return [[version, explain({ history, policy, version, restic: keep, ours })]]
    })
    return {
      history: history.name,
      policy,
      restic: Object.fromEntries(others),
      ...(different.length > 0 && { ours, difference: Object.fromEntries(different) }),
    }
  })
}

function main(programs: readonly string[]): void {
  const [maker] = programs
  if (maker === undefined) throw new Error('Name at least one restic program.')
  writeFileSync(join(folder, 'tiny.txt'), 'tiny\n')
  restic(maker, ['init'])
  for (const history of histories) {
    process.stderr.write(`${history.name}: ${history.times.length} snapshots\n`)
    for (const time of history.times) backup(maker, history, time)
  }
  proveSnapshots(maker)
  const vectors = policies.flatMap((policy) => {
    process.stderr.write(`${flagsOf(policy).join(' ')}\n`)
    return vectorsOf(policy, new Map(programs.map((program) => [versionOf(program), forget(program, policy)])))
  })
  const file: VectorFile = {
    about: 'What restic keeps (forget --dry-run --json), as positions in the times of a history. Made by make-vectors.ts.',
    restic: programs.map(versionOf),
    now,
    differences,
    histories: histories.map(({ name, zone, times }) => ({ name, zone, times: times.map((time) => new Date(time).toISOString()) })),
    refused: refusedPolicies,
    vectors,
  }
  writeFileSync(new URL('vectors.json', import.meta.url), `${JSON.stringify(file)}\n`)
}

try {
  main(process.argv.slice(2))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
