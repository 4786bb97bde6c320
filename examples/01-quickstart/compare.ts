import { execFile } from 'node:child_process'

/** One other program's opinion. */
export interface Opinion {
  /** As a person would type it. */
  readonly command: string
  /** What it printed, or that it is not installed. */
  readonly lines: readonly string[]
  /** Absent: it has none. */
  readonly identical?: boolean
}

/** Compares two files, in a folder, with programs that share no code with Holdfast. */
export async function compare(folder: string, original: string, restored: string): Promise<readonly Opinion[]> {
  const opinions: Opinion[] = []
  const bytes = await run(folder, 'cmp', [original, restored])
  opinions.push(
    bytes.code === 0
      ? { ...bytes, lines: ['no difference'], identical: true }
      : { ...bytes, ...(bytes.code === 1 && { identical: false }) },
  )
  const sums = await run(folder, 'sha256sum', [original, restored])
  const [one, other] = sums.lines.map((line) => line.split(' ')[0])
  opinions.push(sums.code === 0 ? { ...sums, identical: one === other } : sums)
  if (original.endsWith('.tar')) {
    const [before, after] = [await run(folder, 'tar', ['-tvf', original]), await run(folder, 'tar', ['-tvf', restored])]
    const same = before.lines.join('\n') === after.lines.join('\n')
    const told = `${after.lines.length} entries; names, owners, modes, sizes and times ${same ? 'agree' : 'do not agree'}`
    opinions.push(after.code === 0 ? { ...after, lines: [told], identical: same } : after)
  }
  return opinions
}

function run(
  folder: string,
  program: string,
  words: readonly string[],
): Promise<{ readonly command: string; readonly code: number; readonly lines: readonly string[] }> {
  const command = [program, ...words].join(' ')
  return new Promise((resolve) => {
    execFile(program, [...words], { cwd: folder, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (error?.code === 'ENOENT') return resolve({ command, code: -1, lines: [`${program} is not installed`] })
      const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1
      resolve({ command, code, lines: `${stdout}${stderr}`.split('\n').filter((line) => line !== '') })
    })
  })
}
