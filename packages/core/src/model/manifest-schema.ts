import * as z from 'zod'
import type { Manifest } from './manifest-types.ts'
import { highestNumber } from './names.ts'
import { hashSchema, jsonSchema, nameSchema, numberSchema, pointIdSchema, sizeSchema, timeSchema, workloadIdSchema } from './schemas.ts'

const diskSchema = z.strictObject({ key: z.string().min(1), name: z.string(), size: sizeSchema })

/** Below a number's folder, every part safe: a manifest is read from storage that somebody else may write to. */
const pathSchema = z
  .string()
  .max(1024)
  .regex(/^[1-9]\d{0,4}(\/[^./\\\p{Cc}][^/\\\p{Cc}]*)+$/u, 'expected a path below the folder of a number')

const fileSchema = z.strictObject({ path: pathSchema, size: sizeSchema, sha256: hashSchema.exactOptional() })

const diskItemSchema = z.strictObject({
  type: z.literal('disk'),
  disk: diskSchema,
  format: z.literal('qcow2'),
  file: fileSchema,
  metadata: z.strictObject({ size: sizeSchema, sha256: hashSchema }),
  sums: fileSchema,
  digest: hashSchema,
  form: z.enum(['full', 'incremental']),
  reason: z.string(),
  parent: pointIdSchema.exactOptional(),
  dataBytes: sizeSchema,
  replaces: z.array(pathSchema).exactOptional(),
})

const streamItemSchema = z.strictObject({
  type: z.literal('stream'),
  name: z.string().min(1),
  format: z.enum(['tar', 'vmdk', 'bytes']),
  form: z.enum(['kept', 'zstd', 'gzip']),
  size: sizeSchema,
  sha256: hashSchema,
  sha1: z
    .string()
    .regex(/^[0-9a-f]{40}$/)
    .exactOptional(),
  file: fileSchema,
  index: fileSchema.exactOptional(),
  disk: diskSchema.exactOptional(),
  sums: fileSchema.exactOptional(),
  digest: hashSchema.exactOptional(),
  replaces: z.array(pathSchema).exactOptional(),
})

const machineSchema = z.strictObject({
  name: z.string(),
  cpus: numberSchema,
  coresPerSocket: numberSchema.exactOptional(),
  memoryBytes: sizeSchema,
  firmware: z.enum(['bios', 'efi']),
  secureBoot: z.boolean().exactOptional(),
  tpm: z.boolean().exactOptional(),
  guest: z.strictObject({ family: z.enum(['linux', 'windows', 'other']), id: z.string().exactOptional() }),
  disks: z.array(z.strictObject({ key: z.string().min(1), bus: z.enum(['virtio', 'virtio-scsi', 'scsi', 'sata', 'ide', 'nvme']) })),
  networks: z.array(z.strictObject({ name: z.string(), mac: z.string().exactOptional(), model: z.string().exactOptional() })),
})

const workloadSchema = z.strictObject({
  provider: nameSchema,
  id: workloadIdSchema,
  name: z.string(),
  kind: z.enum(['machine', 'volume', 'project']),
  usedBytes: sizeSchema.exactOptional(),
  labels: z.record(z.string(), z.string()).exactOptional(),
  details: jsonSchema.exactOptional(),
})

/** The shape of format version 1, without the checksum. Strict: a member that it does not know needs software that does. */
export const manifestSchema = z.strictObject({
  formatVersion: z.literal(1),
  repositoryId: z.string().min(1),
  folder: z.string().regex(/^[^/]+\/[^/]+$/, 'expected <workload folder>/<point folder>'),
  number: numberSchema.max(highestNumber),
  point: pointIdSchema,
  createdAt: timeSchema,
  due: timeSchema,
  workload: workloadSchema,
  providerKind: z.string().min(1),
  machine: machineSchema.exactOptional(),
  plan: nameSchema.exactOptional(),
  runKey: z.string().min(1),
  attempt: numberSchema,
  sequence: numberSchema,
  parents: z.record(z.string(), pointIdSchema),
  items: z.array(z.discriminatedUnion('type', [diskItemSchema, streamItemSchema])),
  description: jsonSchema,
  checkpoint: jsonSchema.exactOptional(),
  consistency: z.enum(['off', 'quiesced', 'crash', 'fuzzy']),
  skipped: z.array(z.strictObject({ name: z.string(), reason: z.string() })),
  bytes: z.strictObject({ provisioned: sizeSchema, used: sizeSchema, transferred: sizeSchema, stored: sizeSchema }),
  warnings: z.array(z.strictObject({ code: z.string(), message: z.string() })),
  rewritten: z
    .strictObject({ by: z.enum(['merge', 'copy']), runKey: z.string().min(1), attempt: numberSchema, at: timeSchema })
    .exactOptional(),
  software: z.strictObject({ name: z.string(), version: z.string() }),
}) satisfies z.ZodType<Manifest>

// The interface that people read and the schema that is checked must not drift apart: above the values, here the members.
type Same<Left, Right> = [Left] extends [Right] ? ([Right] extends [Left] ? true : false) : false
export const schemaMatchesType: Same<keyof z.output<typeof manifestSchema>, keyof Manifest> = true
