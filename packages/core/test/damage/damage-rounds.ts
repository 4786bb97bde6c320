import { codeOf } from '@holdfast/core/spec'
import { expect } from 'vitest'
import type { Finding } from '../../src/model/run-outcome.ts'
import { type DamageWorld, type FileKind, kindOf, type MadePoint, pointOfPath, type StoredFiles } from './damage-world.ts'

/** One file that was made bad. */
export interface Damage {
  readonly path: string
  readonly kind: FileKind
  /** What was there before; undefined: nothing. */
  readonly before: Uint8Array | undefined
  /** What is there now; undefined: the file is gone. */
  readonly after: Uint8Array | undefined
  /** What was done, for messages. */
  readonly what: string
}

/** What a restore reads; damage anywhere else it need not see. */
const notRead = new Set<FileKind>(['index zst', 'index gz', 'SHA256SUMS', 'pin', 'hold', 'quarantine', 'verified'])

/** Ids of the points whose disks build on nothing, and the ids each point builds on, near and far. */
export async function chainsOf(world: Pick<DamageWorld, 'engine'>) {
  const all = await world.engine.points({ repository: 'main' })
  const parents = new Map(all.map(({ id, parents }) => [id, parents]))
  const ancestorsOf = (id: string): readonly string[] => (parents.get(id) ?? []).flatMap((parent) => [parent, ...ancestorsOf(parent)])
  return { fulls: new Set(all.filter(({ parents }) => parents.length === 0).map(({ id }) => id)), ancestorsOf }
}

export type Chains = Awaited<ReturnType<typeof chainsOf>>

export async function byKind(files: StoredFiles, { fulls }: Chains): Promise<ReadonlyMap<FileKind, readonly string[]>> {
  return Map.groupBy(await files.paths(), (path) => kindOf(path, fulls))
}

/** Each damage is named by point and file, and nothing else is said to be bad. */
export function expectNamed(findings: readonly Finding[], damages: readonly Damage[], chains: Chains, note: string): void {
  const said = findings.map(({ point, file }) => `${point} ${file}`)
  const done = damages.map(({ path }) => `${pointOfPath(path)} ${path}`)
  const label = `${note}: ${damages.map(({ what, path }) => `${what} ${path}`).join(', ')}`
  expect(
    done.filter((each) => !said.includes(each)),
    `not named, ${label}`,
  ).toEqual([])
  const bad = new Set(damages.filter(({ kind }) => kind === 'manifest').map(({ path }) => pointOfPath(path)))
  const unexplained = findings.filter(
    ({ point, file, message }) =>
      !done.includes(`${point} ${file}`) &&
      !(/builds on (the )?point/.test(message) && chains.ancestorsOf(point).some((id) => bad.has(id))),
  )
  expect(unexplained, `named but whole, ${label}`).toEqual([])
}

let restores = 0

/** The restore fails and says which file, or what it delivers is what was protected. Tells which. */
export async function restoreIsHonest(world: DamageWorld, point: MadePoint, damages: readonly Damage[], note: string): Promise<boolean> {
  const name = `restored-${restores++}`
  const label = `${note}: restore of ${point.id} with ${damages.map(({ what, path }) => `${what} ${path}`).join(', ')}`
  let failed = false
  try {
    const { workload } = await world.engine.restore(point.workload, { point: point.id, name })
    expect(world.platform.digest(workload), label).toBe(point.digest)
    world.platform.lose(workload)
  } catch (error) {
    failed = true
    expect(codeOf(error), `${label}: ${String(error)}`).toMatch(/^(CHECKSUM_MISMATCH|POINT_DAMAGED)$/)
    expect(world.platform.digest(name), label).toBeUndefined()
  }
  const { path, kind } = damages.find((each) => pointOfPath(each.path) === point.id && !notRead.has(each.kind)) ?? {}
  // The padding of a disk image behind the end of the disk is never read by a guest, and this provider reads only the disks of an export, as they came: their sums
  // are for what builds on them.
  const isRead = path !== undefined && !path.endsWith('.qcow2') && !path.endsWith('.vmdk.sums') && kind !== 'bytes'
  if (isRead) expect(failed, `${label}: ${kind} must be refused`).toBe(true)
  return failed
}

export async function apply(files: StoredFiles, damages: readonly Damage[]): Promise<void> {
  for (const { path, after } of damages) await files.write(path, after)
}

/** Puts back what was there. A flag that verify has written anew stays as it is. */
export async function putBack(files: StoredFiles, damages: readonly Damage[]): Promise<void> {
  const there = new Set(await files.paths())
  for (const { path, before, after } of damages) {
    const now = there.has(path) ? await files.read(path) : undefined
    const untouched = now === undefined ? after === undefined : after !== undefined && Buffer.from(after).equals(now)
    if (untouched) await files.write(path, before)
  }
}
