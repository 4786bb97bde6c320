import type { Clock } from '../spec/clock.ts'
import { humanBytes, humanDuration } from './human-text.ts'

/** How far a run is. Bytes are counted as they come from the platform (backup), as they go to it (restore), or as they are read (verify). */
export interface Progress {
  /** One line for people, with amounts, rate and time left as far as they are known. */
  readonly text: string
  readonly bytes: number
  /** Only when somebody knew it. */
  readonly totalBytes?: number
  /** 0 to 1, of the step that `text` names; only when somebody told it. */
  readonly fraction?: number
  /** Smoothed over some seconds; 0 before anything moved. */
  readonly bytesPerSecond: number
  readonly millisecondsLeft?: number
  readonly elapsedMs: number
}

/** Counts what a run moves. Cheap: `add` may be called for every chunk. */
export interface ProgressMeter {
  /** So many bytes more have moved. */
  add(bytes: number): void
  /** What is being done now, in words people read. */
  step(text: string, fraction?: number): void
  /** Adds to the number of bytes expected altogether. */
  expect(bytes: number): void
  /** How far it is now. */
  snapshot(): Progress
}

/** What {@link createProgressMeter} is given. */
export interface ProgressMeterOptions {
  readonly clock: Clock
  /** Called after each step, and for bytes at most four times a second of the monotonic clock. Must not throw. */
  readonly onChange?: () => void
}

const rateWindowMs = 1000
const changeMs = 250
/** Weight of the newest second in the smoothed rate. */
const newestWeight = 0.25

/** Bytes per second. What was done before the first bytes came, and how many these are, says nothing about how fast the others are. */
function createRate(started: number) {
  let first = { at: started, bytes: 0 }
  let window = first
  let rate: number | undefined
  const average = (now: number, bytes: number): number => {
    const begin = bytes > first.bytes ? first : { at: started, bytes: 0 }
    return now > begin.at ? ((bytes - begin.bytes) * 1000) / (now - begin.at) : 0
  }
  function update(now: number, bytes: number): void {
    const elapsed = now - window.at
    if (bytes === 0 || elapsed < rateWindowMs) return
    const newest = ((bytes - window.bytes) * 1000) / elapsed
    // After a long silence the old rate means nothing any more: its weight falls with every second that passed.
    const kept = (1 - newestWeight) ** (elapsed / rateWindowMs)
    rate = rate === undefined ? newest : rate * kept + newest * (1 - kept)
    window = { at: now, bytes }
  }
  return {
    begin(now: number, bytes: number): void {
      first = { at: now, bytes }
      window = first
    },
    update,
    at(now: number, bytes: number): number {
      update(now, bytes)
      return Math.round(rate ?? average(now, bytes))
    },
  }
}

/** A meter that begins to count time when it is made. */
export function createProgressMeter({ clock, onChange }: ProgressMeterOptions): ProgressMeter {
  const started = clock.monotonic()
  const rate = createRate(started)
  let bytes = 0
  let expected = 0
  let step = { text: '', fraction: undefined as number | undefined }
  let told = started

  function snapshot(): Progress {
    const now = clock.monotonic()
    const bytesPerSecond = rate.at(now, bytes)
    const totalBytes = expected > 0 && expected >= bytes ? expected : undefined
    const millisecondsLeft =
      totalBytes !== undefined && bytesPerSecond > 0 ? Math.round(((totalBytes - bytes) * 1000) / bytesPerSecond) : undefined
    const numbers = {
      bytes,
      ...(totalBytes !== undefined && { totalBytes }),
      bytesPerSecond,
      ...(millisecondsLeft !== undefined && { millisecondsLeft }),
    }
    return {
      text: textOf(step, numbers),
      ...numbers,
      ...(step.fraction !== undefined && { fraction: step.fraction }),
      elapsedMs: now - started,
    }
  }

  return {
    add(added) {
      const now = clock.monotonic()
      if (bytes === 0) rate.begin(now, added)
      bytes += added
      rate.update(now, bytes)
      if (onChange === undefined || now - told < changeMs) return
      told = now
      onChange()
    },
    step(text, fraction) {
      step = { text, fraction }
      onChange?.()
    },
    expect(more) {
      expected += more
    },
    snapshot,
  }
}

type Numbers = Pick<Progress, 'bytes' | 'totalBytes' | 'bytesPerSecond' | 'millisecondsLeft'>

function textOf(step: { readonly text: string; readonly fraction: number | undefined }, numbers: Numbers): string {
  const parts: string[] = []
  if (step.fraction !== undefined) parts.push(`${Math.floor(step.fraction * 100)} %`)
  if (numbers.bytes > 0) {
    parts.push(`${humanBytes(numbers.bytes)}${numbers.totalBytes === undefined ? '' : ` of ${humanBytes(numbers.totalBytes)}`}`)
    parts.push(`${humanBytes(numbers.bytesPerSecond)}/s`)
  }
  if (numbers.millisecondsLeft !== undefined && numbers.millisecondsLeft > 0) parts.push(`${humanDuration(numbers.millisecondsLeft)} left`)
  return [step.text, parts.join(', ')].filter((part) => part !== '').join(': ')
}
