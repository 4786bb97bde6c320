// Rules of what writes a point anew: merge and copy.
import type { Mutant } from './mutant.ts'

const engine = 'packages/core/src/engine'

export const rewriteRules: readonly Mutant[] = [
  {
    rule: 'merge-new-number',
    edits: [
      {
        file: `${engine}/operations/merge.ts`,
        find: `folder: current.folder, number: survey.next }`,
        replace: `folder: current.folder, number: current.number }`,
      },
      { file: 'packages/core/src/transfer/put-file.ts', find: `ifAbsent: true`, replace: `ifAbsent: false` },
      {
        file: `${engine}/operations/commit.ts`,
        find: `{ ...options, size: bytes.length, ifAbsent: true }`,
        replace: `{ ...options, size: bytes.length, ifAbsent: manifest.rewritten === undefined }`,
      },
    ],
  },
  {
    rule: 'parents-first-copy',
    edits: [
      {
        file: 'packages/core/src/chain/plan-merge.ts',
        find: `  return parent === undefined ? { layers: chain } : { layers: chain.slice(0, found), parent }`,
        replace: `  const next = parent ?? chain[1]?.manifest
  return next === undefined ? { layers: chain } : { layers: chain.slice(0, 1), parent: next }`,
      },
      {
        file: `${engine}/operations/copy.ts`,
        find: `const rest = parent ? layersOf(parent, item.disk.key, there) : []`,
        replace: `const rest = parent ? layersOf(parent, item.disk.key, new Map([...from.map(({ manifest }) => [manifest.point, manifest] as const), ...there])) : []`,
      },
      {
        file: 'packages/core/src/transfer/rewrite-disk.ts',
        find: `  await requireSameDisk(rewrite, put.sums.path, scope)\n`,
        replace: ``,
      },
    ],
  },
  {
    rule: 'parent-by-id',
    edits: [
      {
        file: `${engine}/points/catalog-view.ts`,
        find: `  const byId = new Map(points.map((point) => [point.current.pointId, point]))
  const chain`,
        replace: `  const byId = new Map(points.filter(({ rows }) => rows.some((row) => row.number === 1)).map((point) => [point.current.pointId, point]))
  const chain`,
      },
    ],
  },
  {
    rule: 'named-stays',
    named: true,
    edits: [
      {
        file: `${engine}/points/dead-files.ts`,
        find: `const going = files.filter((file) => !named.has(file.path))`,
        replace: `const going = files`,
      },
    ],
  },
  {
    rule: 'oldest-first',
    named: true,
    edits: [{ file: `${engine}/operations/delete-condemned.ts`, find: `|| a.number - b.number`, replace: `|| b.number - a.number` }],
  },
]
