// A thread that packs clusters. It knows nothing but the memory it shares with the others, and ends when it is terminated.
import { parentPort, workerData } from 'node:worker_threads'
import { compressorOf } from './compress.ts'
import { packSlot } from './pack-slot.ts'
import { slotsOf } from './shared-slots.ts'
import type { PackJob, WorkerSetup } from './worker-messages.ts'

const { shared, codec, withSums } = workerData as WorkerSetup
const slots = slotsOf(shared)
const compress = compressorOf(codec)

parentPort?.on('message', ({ slot, clusters }: PackJob) => {
  const own = slots[slot]
  if (own === undefined) throw new Error(`there is no slot ${slot}`)
  packSlot(own, clusters, compress, withSums)
  parentPort?.postMessage(slot)
})
