// node --conditions=@holdfast/source packages/disk-image/test/fuzz/one.ts --seed S [--write FILE]
// node --conditions=@holdfast/source packages/disk-image/test/fuzz/one.ts --file IMAGE --format qcow2|vmdk|vmdk-stream
// node --conditions=@holdfast/source packages/disk-image/test/fuzz/one.ts --first S --count N
// Tries one image, or many in child processes, and says how our reader took them. Needs qemu-img, which makes some of the images.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type CorpusFormat, corpus, makeCorpus } from './corpus.ts'
import { mutantsOf } from './mutant.ts'
import { fuzz, keepFailures } from './run-batches.ts'
import { tryImage } from './try-image.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    write: { type: 'string' },
    file: { type: 'string' },
    format: { type: 'string', default: 'qcow2' },
    first: { type: 'string' },
    count: { type: 'string', default: '1000' },
  },
})

const isFormat = (name: string): name is CorpusFormat => corpus.some(({ format }) => format === name)

async function oneSeed(folder: string, seed: number): Promise<void> {
  const { name, format, file } = (await mutantsOf(folder))(seed)
  console.log(`${name}, ${file.length} bytes`)
  if (values.write !== undefined) await writeFile(values.write, file)
  console.log(await tryImage(format, file))
}

async function many(folder: string, first: number): Promise<void> {
  const { outcomes, failures, ...rest } = await fuzz({ folder, first, count: Number(values.count), children: 2 })
  for (const [key, count] of [...outcomes].sort()) console.log(`${key}: ${count}`)
  for (const line of await keepFailures(folder, failures)) console.log(line)
  console.log(JSON.stringify({ ...rest, failures: failures.length }))
  if (failures.length > 0) process.exitCode = 1
}

async function withCorpus(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'disk-image-fuzz-'))
  try {
    await makeCorpus(folder, 'qemu-img')
    await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

if (values.file !== undefined) console.log(await tryImage(isFormat(values.format) ? values.format : 'qcow2', await readFile(values.file)))
else if (values.seed !== undefined) await withCorpus((folder) => oneSeed(folder, Number(values.seed)))
else await withCorpus((folder) => many(folder, Number(values.first ?? 1)))
