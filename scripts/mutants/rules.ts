// Rules of commit and prune, and the list of all.
import type { Mutant } from './mutant.ts'
import { platformRules, timeRules } from './platform-rules.ts'
import { rewriteRules } from './rewrite-rules.ts'

const engine = 'packages/core/src/engine'
const testkit = 'packages/testkit/src'

const commit: readonly Mutant[] = [
  {
    rule: 'unique-names',
    edits: [
      {
        file: `${engine}/points/point-folder.ts`,
        find: `if (seen.state === 'absent' && next > last)`,
        replace: `if (seen.state === 'absent' || seen.state === 'dead')`,
      },
    ],
  },
  {
    rule: 'sync-data',
    quick: true,
    edits: [
      {
        file: `${testkit}/faulty-repository.ts`,
        find: `  storage.persist((name) => name === path)\n  return { size`,
        replace: `  if (path.endsWith('.json')) storage.persist((name) => name === path)\n  return { size`,
      },
    ],
  },
  {
    rule: 'decide',
    quick: true,
    edits: [
      {
        file: `${engine}/points/point-folder.ts`,
        find: `    await repository.put(path, bytesOf(new Uint8Array(0)), { ...options, size: 0, ifAbsent: true })\n`,
        replace: `    const now = await readNumber(repository, reference, options)\n    if (now.state !== 'absent') return now\n`,
      },
    ],
  },
  {
    rule: 'sync-manifest',
    quick: true,
    edits: [
      {
        file: `${testkit}/faulty-repository.ts`,
        find: `  storage.persist((name) => name === path)\n  return { size`,
        replace: `  if (!path.includes('/manifest.')) storage.persist((name) => name === path)\n  return { size`,
      },
    ],
  },
  {
    rule: 'adopt-syncs',
    edits: [
      {
        file: `${engine}/points/point-folder.ts`,
        find: `    await repository.sync(reference.folder, options)\n    return seen`,
        replace: `    return seen`,
      },
      {
        file: `${engine}/operations/backup.ts`,
        find: `  await repository.sync(ground.folder, options)\n  return await surveyFolder`,
        replace: `  return await surveyFolder`,
      },
      {
        file: `${engine}/operations/backup.ts`,
        find: `  await repository.sync(ground.folder, options)\n  return committedSuccess`,
        replace: `  return committedSuccess`,
      },
      {
        file: `${engine}/operations/commit.ts`,
        find: `      await repository.sync(target.folder, options)\n    }\n    return writtenSuccess`,
        replace: `    }\n    return writtenSuccess`,
      },
    ],
  },
  {
    rule: 'one-way-out',
    edits: [
      {
        file: `${engine}/runs/execute.ts`,
        find: `    if (await settle(parts, attempt)) return\n    await giveUp(parts, attempt, reason)`,
        replace: `    await attempt.aim({ target: null, reads: [] }, { signal: new AbortController().signal })\n    await giveUp(parts, attempt, reason)`,
      },
    ],
  },
  {
    rule: 'adopt',
    quick: true,
    edits: [
      {
        file: `${engine}/runs/settle.ts`,
        find: `  if (decided.state === 'live' && writerOf(decided.manifest) === attempt.run.key) return writtenSuccess(target, decided.manifest)\n`,
        replace: ``,
      },
      {
        file: `${engine}/operations/backup.ts`,
        find: `  if (survey.committed) return await adopt(parts, attempt, ground, survey.committed.reference)\n`,
        replace: ``,
      },
    ],
  },
  {
    rule: 'probe',
    quick: true,
    edits: [
      {
        file: `${engine}/operations/backup.ts`,
        find: `  if (survey.committed) return await adopt(parts, attempt, ground, survey.committed.reference)\n`,
        replace: ``,
      },
    ],
  },
  {
    rule: 'reads',
    edits: [
      {
        file: `${engine}/runs/attempt.ts`,
        find: `await parts.store.runs.save(lease, patch, options)`,
        replace: `await parts.store.runs.save(lease, patch.target === undefined ? {} : { target: patch.target }, options)`,
      },
    ],
  },
  {
    rule: 'release-last',
    named: true,
    edits: [{ file: `${engine}/runs/settle.ts`, find: `attempt.aim({}, options)`, replace: `attempt.aim({ reads: [] }, options)` }],
  },
]

const prune: readonly Mutant[] = [
  {
    rule: 'owner',
    edits: [
      {
        file: `${engine}/points/ownership.ts`,
        find: `  throw foreign(parts, name, ownership.file)\n`,
        replace: `  return ownership.file\n`,
      },
    ],
  },
  {
    rule: 'condemn-first',
    quick: true,
    edits: [
      { file: `${engine}/operations/delete-condemned.ts`, find: `async function deleteRow(`, replace: `export async function deleteRow(` },
      {
        file: `${engine}/operations/condemn.ts`,
        find: `import { strangerBecause`,
        replace: `import { deleteRow } from './delete-condemned.ts'\nimport { strangerBecause`,
      },
      {
        file: `${engine}/operations/condemn.ts`,
        find: `    if (await parts.store.points.condemn(`,
        replace: `    for (const row of catalog.points)
      if (plan.some((each) => each.folder === row.folder)) await deleteRow(parts, attempt, { ...row, highest: row.number }, options)
    if (await parts.store.points.condemn(`,
      },
    ],
  },
  {
    rule: 'condemn-cas',
    edits: [
      {
        file: `${engine}/operations/condemn.ts`,
        find: `workload, catalog.version, plan, options)`,
        replace: `workload, (await parts.store.points.catalog(repository, workload, options)).version, plan, options)`,
      },
    ],
  },
  {
    rule: 'whole-list',
    named: true,
    edits: [
      {
        file: `${engine}/operations/delete-condemned.ts`,
        find: `    attempt.meter.step(\`deleting \${row.pointId}\`)\n`,
        replace: `    if (!attempt.run.input.points?.includes(row.pointId)) continue\n`,
      },
    ],
  },
  {
    rule: 'children-first',
    edits: [{ file: `${engine}/operations/delete-condemned.ts`, find: `b.sequence - a.sequence`, replace: `a.sequence - b.sequence` }],
  },
  {
    rule: 'manifest-first',
    quick: true,
    edits: [
      {
        file: `${engine}/operations/delete-condemned.ts`,
        find: `  const seen = await readNumber(repository, reference, options)\n`,
        replace: `  const seen = await readNumber(repository, reference, options)\n  await repository.delete(\`\${row.folder}/\${row.number}/\`, options)\n`,
      },
    ],
  },
  {
    rule: 'sync-deletes',
    named: true,
    edits: [
      { file: `${engine}/operations/delete-condemned.ts`, find: `  await repository.sync(row.folder, options)\n`, replace: `` },
      { file: `${engine}/points/dead-files.ts`, find: `  await repository.sync(where.folder, options)\n`, replace: `` },
    ],
  },
  {
    rule: 'dead-number',
    edits: [
      {
        file: `${engine}/operations/delete-condemned.ts`,
        find: `  await parts.store.points.forget(`,
        replace: `  await repository.delete(manifestPath(row.folder, row.number), options)\n  await parts.store.points.forget(`,
      },
    ],
  },
  {
    rule: 'targets-stay',
    named: true,
    edits: [
      {
        file: `${testkit}/memory-store/memory-points.ts`,
        find: `(run.target === undefined ? run.reads : [...run.reads, run.target])`,
        replace: `run.reads`,
      },
      {
        file: `${testkit}/memory-store/memory-points.ts`,
        find: `targets.has(refKey(ref)) || `,
        replace: `(targets.size > 1e9) || `,
      },
    ],
  },
  {
    rule: 'rescan-probes',
    edits: [
      {
        file: `${engine}/operations/rescan.ts`,
        find: `    if (now.state === 'absent' || now.state === 'dead') gone.push(referenceOf(row))`,
        replace: `    if (now.state) gone.push(referenceOf(row))`,
      },
    ],
  },
  {
    rule: 'rescan-cas',
    named: true,
    edits: [
      {
        file: `${engine}/operations/rescan.ts`,
        find: `workload, catalog.version, present`,
        replace: `workload, (await parts.store.points.catalog(repository, workload, options)).version, present`,
      },
    ],
  },
]

export const mutants: readonly Mutant[] = [...commit, ...prune, ...rewriteRules, ...platformRules, ...timeRules]
