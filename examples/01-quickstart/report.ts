import { formatDuration, type ProgressView } from '@holdfast/core'
import type { Listed } from './subject.ts'

const width = 92

/** Prints for people: numbered steps, what came of each, and how long it took. No step begins after an abort. */
export function createReport(write: (line: string) => void, signal: AbortSignal) {
  let steps = 0
  const say = (text = '') => write(text)
  return {
    say,
    detail: (text: string) => say(`     ${text}`),
    /** What a run does, while bytes move: a line at most twice a second. */
    async progress(steps: AsyncIterable<ProgressView>, describe = ({ text }: ProgressView) => text): Promise<void> {
      let told = { at: performance.now(), bytes: 0 }
      for await (const step of steps) {
        const { bytes } = step
        if (bytes === told.bytes || performance.now() - told.at < 500) continue
        told = { at: performance.now(), bytes }
        say(`     ${describe(step)}`)
      }
    },
    /** Runs one step; the text it resolves with is printed with the time it took. */
    async step(title: string, work: () => Promise<string>): Promise<void> {
      signal.throwIfAborted()
      const begin = performance.now()
      say()
      say(`${String(++steps).padStart(2)}. ${title}`)
      const came = await work()
      const time = formatDuration(performance.now() - begin).padStart(8)
      const room = width - 5
      // The time keeps its column: beside a long line there is no room for it, so it goes below.
      if (came.length > room) say(`     ${came}`)
      say(`     ${(came.length > room ? '' : came).padEnd(room)} ${time}`)
    },
  }
}

export type Report = ReturnType<typeof createReport>

/** `no volume, 1 container, no image` */
export function counted(listed: readonly Listed[]): string {
  return listed
    .map(({ kind, names }) => (names.length === 0 ? `no ${kind}` : `${names.length} ${kind}${names.length === 1 ? '' : 's'}`))
    .join(', ')
}

export function named(listed: readonly Listed[]): readonly string[] {
  return listed.flatMap(({ kind, names }) => names.map((name) => `${kind} ${name}`))
}
