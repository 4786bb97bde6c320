import type { Mark } from '@holdfast/core/spec'
import * as z from 'zod'

/**
 * What a marked thing is for. `backup`: a snapshot that goes with its run. `snapshot`: one that people keep. `machine-unfinished`: a machine that is being
 * restored. `machine`: one that was delivered. `replica`: one that is kept off, to take over. `replica-swap`: one that is whole, and about to take the place of the
 * replica before it. `fenced`: a machine, of anybody, that is kept off; it makes nothing ours.
 */
export type Purpose = 'backup' | 'snapshot' | 'machine-unfinished' | 'machine' | 'replica' | 'replica-swap' | 'fenced'

/** The replica that another machine takes the place of. */
export interface Taken {
  /** Of the workload. */
  readonly id: string
  /** As people know it. */
  readonly name: string
  /** Value of its reference: what it is looked for by while the host cannot read it. */
  readonly ref: string
  /** The run and the attempt that had made it: what has the id under another mark is newer. */
  readonly run: string
  readonly attempt: number
  /** The machine that takes the place, as it was before: a copy of it carries the same line, and takes none. `ref` is the value of its reference. */
  readonly by: { readonly id: string; readonly ref: string }
}

/** A mark with what the thing is for, as a description or an annotation carries it. */
export interface Marked {
  readonly purpose: Purpose
  readonly mark: Mark
  /** Of a replica: id of the point that it holds. Absent: none, since it was started. */
  readonly point?: string
  /** Of a `replica-swap`. */
  readonly takes?: Taken
  /** Of a `machine-unfinished`: it is being removed, so that its attempt must not go on with it. */
  readonly abandoned?: true
}

const words: { readonly [purpose in Purpose]: string } = {
  backup: 'Temporary, for a backup by Holdfast. It is removed when the backup has ended.',
  snapshot: 'Made by Holdfast. It is kept as long as its plan says.',
  'machine-unfinished': 'Unfinished: Holdfast is restoring this machine, and removes it if that fails.',
  machine: 'Restored by Holdfast.',
  replica: 'Replica, kept off by Holdfast. It is replaced whenever it is brought to a newer point: what is changed here is lost then.',
  'replica-swap': 'Whole: Holdfast is putting this machine in the place of the replica before it.',
  fenced: 'Switched off by Holdfast for a failover. Start it only when its replica is off.',
}

const name = z.string().max(500)
const common = { holdfast: z.literal(1), system: name.min(1), plan: name, run: name.min(1), attempt: z.int().min(1) }
const line = z.discriminatedUnion('purpose', [
  z.strictObject({ ...common, purpose: z.enum(['backup', 'snapshot', 'machine', 'fenced']) }),
  z.strictObject({ ...common, purpose: z.literal('machine-unfinished'), abandoned: z.literal(true).optional() }),
  z.strictObject({ ...common, purpose: z.literal('replica'), point: name.min(1).optional() }),
  z.strictObject({
    ...common,
    purpose: z.literal('replica-swap'),
    point: name.min(1),
    takes: z.strictObject({
      id: name.min(1),
      name: name.min(1),
      ref: name.min(1),
      run: name.min(1),
      attempt: z.int().min(1),
      by: z.strictObject({ id: name.min(1), ref: name.min(1) }),
    }),
  }),
])

/** Plain ASCII without `%`, which some clients take for the beginning of an escape, and without line ends. */
function asciiJson(value: unknown): string {
  const unicode = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(value).replaceAll(/[^\x20-\x7e]|%/g, unicode)
}

/** One line: words for people, and behind them what is read back. */
export function markLine({ purpose, mark: { system, plan, run, attempt }, point, takes, abandoned }: Marked): string {
  return `${words[purpose]} ${asciiJson({ holdfast: 1, purpose, system, plan, run, attempt, point, takes, abandoned })}`
}

/** The mark of one line, if it has one. The words before it may have been changed; the JSON may not. */
function readLine(text: string): Marked | undefined {
  const from = text.indexOf('{"holdfast":')
  if (from < 0) return undefined
  try {
    const { success, data } = line.safeParse(JSON.parse(text.slice(from).trimEnd()))
    if (!success) return undefined
    const { purpose, system, plan, run, attempt } = data
    const mark = { system, plan, run, attempt }
    if (purpose === 'machine-unfinished') return { purpose, mark, ...(data.abandoned && { abandoned: true }) }
    if (purpose === 'replica-swap') return { purpose, mark, point: data.point, takes: data.takes }
    return { purpose, mark, ...(purpose === 'replica' && data.point !== undefined && { point: data.point }) }
  } catch {
    return undefined
  }
}

const linesOf = (text: string | undefined): readonly string[] => (text === undefined || text === '' ? [] : text.split(/\r\n|\r|\n/))

const isFence = ({ purpose }: Marked): boolean => purpose === 'fenced'

function marksIn(text: string | undefined): readonly Marked[] {
  return linesOf(text).flatMap((one) => readLine(one) ?? [])
}

/**
 * What a description or an annotation says about who made the thing. Strict, since people edit such texts: anything but one whole mark is no mark, so
 * also two of them. The mark of a fence says nothing about that, and is passed over.
 */
export function readMark(text: string | undefined): Marked | undefined {
  const [first, ...more] = marksIn(text).filter((found) => !isFence(found))
  return more.length === 0 ? first : undefined
}

/** The fence that a machine is behind. */
export function readFenceMark(text: string | undefined): Mark | undefined {
  return marksIn(text).findLast(isFence)?.mark
}

function without(text: string | undefined, drop: (found: Marked) => boolean): readonly string[] {
  return linesOf(text).filter((one) => {
    const found = readLine(one)
    return found === undefined || !drop(found)
  })
}

/** The text with this mark below whatever else it says. It takes the place of one that was there before; a fence and another mark leave each other alone. */
export function withMark(text: string | undefined, marked: Marked): string {
  return [...without(text, (found) => isFence(found) === isFence(marked)), markLine(marked)].join('\n')
}

/** The text without any mark of ours. */
export const withoutMarks = (text: string | undefined): string => without(text, () => true).join('\n')

/** The text without the mark of a fence. */
export const withoutFence = (text: string | undefined): string => without(text, isFence).join('\n')

/** Whether something was made by exactly this attempt. The plan is only told, never compared: a run belongs to one plan. */
export function isOf(marked: Marked | undefined, mark: Mark): boolean {
  return marked !== undefined && marked.mark.system === mark.system && marked.mark.run === mark.run && marked.mark.attempt === mark.attempt
}
