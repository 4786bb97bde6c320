import * as z from 'zod'

/** What the Docker Engine API answers, as far as it is used here (source: the API reference, version 1.41). Unknown members are ignored. */
const labels = z.record(z.string(), z.string()).nullish()

export const engineVersion = z.object({
  Version: z.string(),
  ApiVersion: z.string().regex(/^\d+\.\d+$/),
  MinAPIVersion: z.string().optional(),
})
export const volume = z.object({
  Name: z.string(),
  Driver: z.string(),
  CreatedAt: z.string().optional(),
  Scope: z.string().optional(),
  Labels: labels,
  Options: labels,
})
export const volumeList = z.object({ Volumes: z.array(volume).nullish() })
export const diskUsage = z.object({
  Volumes: z.array(z.object({ Name: z.string(), UsageData: z.object({ Size: z.number() }).nullish() })).nullish(),
})
export const container = z.object({
  Id: z.string(),
  Names: z.array(z.string()),
  State: z.string(),
  Labels: labels,
  Mounts: z.array(z.object({ Type: z.string().optional(), Name: z.string().optional() })).nullish(),
})
export const containerList = z.array(container)
export const created = z.object({ Id: z.string() })
export const image = z.object({ Id: z.string(), RepoTags: z.array(z.string()).nullish(), Labels: labels })
export const imageList = z.array(image)

export type EngineVersion = z.infer<typeof engineVersion>
export type Volume = z.infer<typeof volume>
export type Container = z.infer<typeof container>
export type Image = z.infer<typeof image>
