import { HoldfastError } from '@holdfast/core/spec'
import type { FoundDisk } from '../inventory/disks.ts'
import type { DeviceUrl } from '../lease/device-url.ts'

/** A file of a machine that is read, under the name it gets. */
export interface ExportFile {
  readonly url: DeviceUrl
  readonly name: string
  /** Present for a disk. */
  readonly disk?: FoundDisk
}

/** What is read of a machine, and what is not, with the reason. */
export interface ExportPlan {
  readonly files: readonly ExportFile[]
  readonly skipped: readonly { readonly name: string; readonly reason: string }[]
}

export interface PlanOptions {
  /** What people call the machine. */
  readonly machine: string
  readonly images: boolean
  /** A snapshot is read: it does not hold independent disks. */
  readonly snapshot: boolean
}

const longestName = 100

/** The name of a machine as part of names of files, the same on every system and in a URL: what a person types is no file name. */
export function fileNameOf(machine: string): string {
  const plain = machine
    .replaceAll(/[^\w.-]+/g, '_')
    .replace(/^[._]+/, '')
    .slice(0, longestName)
    .replace(/[._]+$/, '')
  return plain === '' ? 'machine' : plain
}

const isNvram = ({ key, targetId }: DeviceUrl): boolean => /\/nvram$/i.test(key) || /\.nvram$/i.test(targetId ?? '')

/** Of what the host proposes, only the ending is taken, and only one that is known. */
const imageEnding = ({ targetId }: DeviceUrl): string => /\.(iso|flp)$/i.exec(targetId ?? '')?.[1]?.toLowerCase() ?? 'img'

const slotIn = ({ key }: DeviceUrl): string => key.slice(key.lastIndexOf('/') + 1)

const mismatch = (machine: string, problem: string): HoldfastError =>
  new HoldfastError('PROVIDER_FAILED', `What the host hands out of ${machine} does not fit the machine: ${problem}.`, {
    retryable: true,
    remedy: 'If the disks of the machine were changed just now, run it again. Otherwise report it with the version of the host.',
  })

/** Which disk of the machine each disk of the lease is. Keys name the slot; a single one that is left over on both sides can be no other. */
function pairDisks(urls: readonly DeviceUrl[], disks: readonly FoundDisk[], machine: string): ReadonlyMap<DeviceUrl, FoundDisk> {
  const pairs = new Map<DeviceUrl, FoundDisk>()
  for (const url of urls) {
    const disk = disks.find(({ slot }) => slot === slotIn(url))
    if (disk !== undefined && [...pairs.values()].includes(disk)) throw mismatch(machine, `the disk ${disk.slot} comes twice`)
    if (disk !== undefined) pairs.set(url, disk)
  }
  const [url, ...moreUrls] = urls.filter((one) => !pairs.has(one))
  const [disk, ...moreDisks] = disks.filter((one) => ![...pairs.values()].includes(one))
  if (url === undefined) return pairs
  if (disk === undefined || moreUrls.length > 0 || moreDisks.length > 0) throw mismatch(machine, `it has no disk at ${slotIn(url)}`)
  return pairs.set(url, disk)
}

/** No snapshot holds it. */
export const isIndependent = ({ mode }: Pick<FoundDisk, 'mode'>): boolean => mode.startsWith('independent')

/** Why a disk is not in a backup of a snapshot. */
export const skippedIndependent = ({ name, mode, slot }: Pick<FoundDisk, 'name' | 'mode' | 'slot'>): ExportPlan['skipped'][number] => ({
  name: `${name} (${slot})`,
  reason: `It is independent (${mode}), so no snapshot holds it. It is in a backup that is made while the machine is off.`,
})

function missingDisks(disks: readonly FoundDisk[], { machine, snapshot }: PlanOptions): ExportPlan['skipped'] {
  return disks.map(({ name, mode, slot }) => {
    if (!snapshot || !isIndependent({ mode })) throw mismatch(machine, `${name} (${slot}) is missing`)
    return skippedIndependent({ name, mode, slot })
  })
}

/**
 * Names everything that a lease hands out. Names are made here alone: what a host proposes may be anything.
 * @throws PROVIDER_FAILED (retryable): the disks are not those of the machine.
 */
export function planExport(urls: readonly DeviceUrl[], disks: readonly FoundDisk[], options: PlanOptions): ExportPlan {
  const base = fileNameOf(options.machine)
  const pairs = pairDisks(
    urls.filter(({ disk }) => disk),
    disks,
    options.machine,
  )
  const counts = { disk: 0, nvram: 0, image: 0 }
  const files: ExportFile[] = []
  const skipped = [
    ...missingDisks(
      disks.filter((disk) => ![...pairs.values()].includes(disk)),
      options,
    ),
  ]
  for (const url of urls) {
    const disk = pairs.get(url)
    if (disk !== undefined) {
      counts.disk += 1
      files.push({ url, disk, name: `${base}-disk-${counts.disk}.vmdk` })
    } else if (isNvram(url)) {
      counts.nvram += 1
      if (counts.nvram > 1) throw mismatch(options.machine, 'it has more than one NVRAM')
      files.push({ url, name: `${base}.nvram` })
    } else {
      counts.image += 1
      const name = `${base}-image-${counts.image}.${imageEnding(url)}`
      if (options.images) files.push({ url, name })
      else skipped.push({ name: `image ${counts.image} (${slotIn(url)})`, reason: 'The option "images" is off.' })
    }
  }
  return { files, skipped }
}
