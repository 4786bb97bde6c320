// node --conditions=@holdfast/source packages/disk-image/test/chains/one-chain.ts --seed S [--count N] [--keep]
// Makes chains that their seeds decide, with the help of QEMU, and checks all that must be true of them.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeNoise, qemuAt } from './qemu.ts'
import { tryChain } from './try-chain.ts'

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, count: { type: 'string', default: '1' }, keep: { type: 'boolean', default: false } },
})
const folder = await mkdtemp(join(tmpdir(), 'disk-image-chains-'))
const noise = await makeNoise(folder)
let wrong = 0
const first = Number(values.seed)
for (let seed = first; seed < first + Number(values.count); seed += 1) {
  const { summary, error } = await tryChain({ seed, folder, noise, qemu: qemuAt('qemu-img') })
  if (error === undefined) console.log(summary)
  else {
    wrong += 1
    console.log(`${summary}: ${error instanceof Error ? error.stack : error}`)
  }
  if (!values.keep) await rm(join(folder, `chain-${seed}`), { recursive: true, force: true })
}
console.log(`${values.count} chains, ${wrong} wrong${values.keep ? `; kept in ${folder}` : ''}`)
if (!values.keep) await rm(folder, { recursive: true, force: true })
if (wrong > 0) process.exitCode = 1
