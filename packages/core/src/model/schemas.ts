import * as z from 'zod'
import type { Json } from '../spec/json.ts'

/** The building blocks of the model's schemas. Nothing of zod leaves this folder. */

/** Names that the application gives: of providers, repositories and plans. They go into keys and paths, so the first slash parts them. */
export const nameSchema = z
  .string()
  .max(63, 'names have at most 63 characters')
  .regex(/^[a-z0-9][a-z0-9-]*$/, 'names are lower-case letters, digits and hyphens and begin with a letter or digit')

/** A workload's id on its platform: anything printable. */
export const workloadIdSchema = z
  .string()
  .min(1, 'an id has at least one character')
  .max(1024, 'an id has at most 1024 characters')
  .refine((id) => id.isWellFormed() && !/\p{Cc}/u.test(id), 'an id has no control characters')

export const workloadRefSchema = z.strictObject({ provider: nameSchema, id: workloadIdSchema })

/** What has been through `plainJson` or `JSON.parse`; only its presence is left to check. */
export const jsonSchema = z.unknown().refine((value) => value !== undefined, 'is missing') as z.ZodType<Json, Json>

export const compressionSchema = z.enum(['zstd', 'gzip', 'none'])
export const hashSchema = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits')
export const sizeSchema = z.int().min(0)
export const numberSchema = z.int().min(1)
export const timeSchema = z.iso.datetime({ precision: 3, error: 'expected a time such as 2026-11-20T02:00:00.000Z' })
export const pointIdSchema = z
  .string()
  .regex(/^\d{8}T\d{6}Z-[0-9a-f]{16}$/, 'expected the id of a point, such as 20261120T020000Z-0123456789abcdef')

/** The JSON Schema (draft 2020-12) of a schema; `input` is what a person may write, with defaults left out. */
export function toJsonSchema(schema: z.ZodType, title: string, io: 'input' | 'output'): Json {
  return { title, ...(z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as { readonly [name: string]: Json }) }
}
