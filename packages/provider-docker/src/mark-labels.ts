import { createHash } from 'node:crypto'
import type { Json, Mark } from '@holdfast/core/spec'

export type Labels = { readonly [name: string]: string }

/** Everything under this prefix is ours; labels of a restored volume that begin with it are dropped, so that no old mark is inherited. */
export const labelPrefix = 'holdfast.'
/** On containers, images and volumes that must not outlive their run. */
export const unfinishedLabel = 'holdfast.unfinished'
/** On a volume: its own name, so that it can be removed by labels alone. */
export const volumeLabel = 'holdfast.volume'
/** On a helper and on its image: the volume this attempt fills. While they exist the volume is unfinished. */
export const fillingLabel = 'holdfast.filling'
/** On the helper that refills an existing volume: the name of that volume. */
export const refillLabel = 'holdfast.refill'

/** On a volume that the engine made by itself because a helper named one that had just been removed. */
export const accidentLabel = 'holdfast.accident'

/** Label values are percent-encoded: an image takes its labels through a Dockerfile line, where `"`, `$` and line ends mean something. */
const encode = (value: string): string => encodeURIComponent(value)
const decode = (value: string): string | undefined => {
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}

/** `extra` are further labels of ours, their values encoded like those of the mark. */
export function markLabels(mark: Mark, extra: Labels = {}): Labels {
  const values = {
    'holdfast.system': mark.system,
    'holdfast.plan': mark.plan,
    'holdfast.run': mark.run,
    'holdfast.attempt': String(mark.attempt),
    ...extra,
  }
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, encode(value)]))
}

export function readLabel(labels: Labels | null | undefined, name: string): string | undefined {
  const value = labels?.[name]
  return value === undefined ? undefined : decode(value)
}

/** The mark on a thing, or undefined when it carries none that can be read. */
export function readMark(labels: Labels | null | undefined): Mark | undefined {
  const [system, plan, run, attempt] = ['system', 'plan', 'run', 'attempt'].map((name) => readLabel(labels, labelPrefix + name))
  if (system === undefined || plan === undefined || run === undefined || attempt === undefined || !/^\d{1,15}$/.test(attempt))
    return undefined
  return { system, plan, run, attempt: Number(attempt) }
}

/** Made by exactly this attempt. The plan is only told, never compared: a run belongs to one plan. */
export function carriesMark(labels: Labels | null | undefined, mark: Mark): boolean {
  const found = readMark(labels)
  return found !== undefined && found.system === mark.system && found.run === mark.run && found.attempt === mark.attempt
}

/** For the engine's label filter: everything this attempt made. */
export function markFilter(mark: Mark, extra: Labels = {}): readonly string[] {
  const all = markLabels(mark, extra)
  return Object.entries(all)
    .filter(([name]) => name !== 'holdfast.plan')
    .map(([name, value]) => `${name}=${value}`)
}

export function withoutOurLabels(labels: Labels | null | undefined): Labels {
  return Object.fromEntries(Object.entries(labels ?? {}).filter(([name]) => !name.startsWith(labelPrefix)))
}

/** Names that can be found again from the mark alone. */
export function attemptName(mark: Mark): string {
  const run = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(mark.run) ? mark.run : shortHash(mark.run)
  return `${shortHash(mark.system).slice(0, 8)}-${run}.${mark.attempt}`
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

export const imageName = (mark: Mark): string => `holdfast-helper:${attemptName(mark)}`
export const helperName = (mark: Mark, role: string): string => `holdfast-${attemptName(mark)}-${role}`

export function isRecord(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
