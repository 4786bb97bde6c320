// npm run -s bench -- NAME [--rounds 5] [--size 1GiB] [--sizes 64MiB,4GiB] [--no-build]
// Standard output holds one JSON line per comparison and nothing else; see docs/benchmarks.md.
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BenchArguments, parseBenchArguments } from './arguments.ts'
import type { BenchContext } from './bench-context.ts'
import { diskFull } from './benches/disk-full.ts'
import { dockerRestore } from './benches/docker-restore.ts'
import { dockerVolume } from './benches/docker-volume.ts'
import { esxiExport } from './benches/esxi-export.ts'
import { esxiImport, esxiImportChain } from './benches/esxi-import.ts'
import { importCore } from './benches/import-core.ts'
import { merge, mergePlain } from './benches/merge.ts'
import { mergeZlib, mergeZstd } from './benches/merge-packed.ts'
import { duePlans } from './benches/plans.ts'
import { restoreHttp } from './benches/restore-http.ts'
import { retention } from './benches/retention.ts'
import { rollup } from './benches/rollup.ts'
import { vmdkRead } from './benches/vmdk-read.ts'
import { buildPackages, buildPrograms } from './build.ts'

const benches: { readonly [name: string]: (context: BenchContext) => Promise<void> } = {
  'docker-volume': dockerVolume,
  'docker-restore': dockerRestore,
  'disk-full': diskFull,
  'esxi-export': esxiExport,
  'esxi-import': esxiImport,
  'esxi-import-chain': esxiImportChain,
  'import-core': importCore,
  merge,
  'merge-plain': mergePlain,
  'merge-zlib': mergeZlib,
  'merge-zstd': mergeZstd,
  rollup,
  'vmdk-read': vmdkRead,
  'restore-http': restoreHttp,
  plans: duePlans,
  retention,
}

const say = (text: string) => process.stderr.write(`${text}\n`)

async function main(): Promise<void> {
  const given: BenchArguments = parseBenchArguments(process.argv.slice(2), Object.keys(benches))
  if (given.build) await buildPackages()
  await buildPrograms()
  const folder = await mkdtemp(join(process.env.HOLDFAST_BENCH_FOLDER ?? tmpdir(), 'holdfast-bench-'))
  // Gigabytes must not stay behind when somebody has seen enough.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      rmSync(folder, { recursive: true, force: true })
      process.exit(1)
    })
  try {
    const { HOLDFAST_BENCH_FILL_MEMORY: filled } = process.env
    const print: BenchContext['print'] = (line) =>
      process.stdout.write(`${JSON.stringify({ ...line, ...(filled === '1' && { memory: 'filled' }) })}\n`)
    await benches[given.bench]?.({ ...given, folder, print, say })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

main().catch((error: unknown) => {
  say(`npm run bench: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
})
