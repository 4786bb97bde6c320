import type { Manifest, StreamItem as StreamEntry } from '../model/manifest.ts'
import { HoldfastError } from '../spec/errors.ts'
import { type Finding, findingOf } from './finding.ts'
import { sumsFileName } from './item-names.ts'
import { openOnce } from './open-once.ts'
import { createReading, type Reading, type ReadingContext } from './reading.ts'
import type { Scope } from './scope.ts'
import { sha256SumsOf } from './sha256-sums.ts'
import { verifyDisk } from './verify-disk.ts'
import { verifyStream } from './verify-stream.ts'

export type { Finding } from './finding.ts'

export interface VerifyContext extends ReadingContext {
  readonly point: Manifest
  /** The newest manifests of the points that disks of this one build on, by point id. */
  readonly ancestors: ReadonlyMap<string, Manifest>
}

/**
 * Reads every stored byte of one point and compares it with the manifest; of the points it builds on, only the sums. Damage is a finding that
 * names point and file, and the next file is looked at; what says nothing about the bytes (abort, STALLED, a repository that is not there) is
 * thrown. Reads only; constant memory.
 */
export async function* verifyPoint(context: VerifyContext): AsyncGenerator<Finding, void, undefined> {
  const { point, ancestors } = context
  const reading = createReading(context)
  for (const item of point.items) {
    reading.meter.step(`verifying ${item.file.path}`)
    if (item.type === 'disk') yield* verifyDisk(point, item, ancestors, reading, context)
    else yield* verifyStream(point, item, reading, context)
  }
  yield* verifySums(point, reading, context)
}

/** `SHA256SUMS` of each number that holds a kept stream. */
async function* verifySums(point: Manifest, reading: Reading, context: VerifyContext): AsyncGenerator<Finding, void, undefined> {
  const kept = point.items.filter((item): item is StreamEntry => item.type === 'stream' && item.form === 'kept')
  const numbers = new Set(kept.map(({ file }) => Number(file.path.slice(0, file.path.indexOf('/')))))
  for (const number of numbers) {
    const content = Buffer.from(sha256SumsOf(point.items, number) ?? '')
    const file = `${point.folder}/${number}/${sumsFileName}`
    const scope = reading.scope(file, context)
    try {
      const finding = await findingOf(point.point, file, () => compareFile(file, content, reading, scope))
      if (finding !== undefined) yield finding
    } finally {
      scope.close()
    }
  }
}

async function compareFile(path: string, content: Buffer, reading: Reading, scope: Scope): Promise<void> {
  const stored = await openOnce(() => reading.repository.open(path, { signal: scope.signal }), scope)
  try {
    const found = Buffer.alloc(stored.size === content.length ? content.length : 0)
    if (found.length > 0) await scope.race(stored.readInto(found, 0, { signal: scope.signal }))
    if (!found.equals(content)) throw new HoldfastError('CHECKSUM_MISMATCH', `${path}: it does not say what the manifest says`)
  } finally {
    await scope.settle(Promise.resolve(stored[Symbol.asyncDispose]()))
  }
}
