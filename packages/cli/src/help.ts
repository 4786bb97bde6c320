import type { Command } from './command.ts'

const codes = `Exit codes:
  0    good
  1    damage: a finding, or something that could not be restored because of it
  2    wrong usage, or not possible: no repository there, no permission, no room
  130  interrupted (Ctrl-C); nothing half-written is left in a folder
`

const optionTexts = {
  workload: '--workload PROVIDER/ID  only this workload, as "holdfast points" names it',
  quick: '--quick                 names and sizes only, without reading the data',
  into: '--into FOLDER           where to; made if it is not there, refused if something is in it',
  to: '--to -|URL              send one disk instead: to the standard output, or with one HTTP PUT; nothing is written here',
  disk: '--disk KEY              only this disk, as "holdfast show" names it in brackets',
  extract: '--extract               unpack archives instead of writing them as .tar',
  format: '--format FORMAT         how disks are written: qcow2 (default), raw (files are sparse), vmdk or vmdk-stored',
  json: '--json                  one JSON object instead of text; errors too: {"error": {...}}',
} as const

/** What `holdfast --help` prints. */
export function generalHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length))
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`)
  return `holdfast: reads a repository of backups that is a folder. Needs no engine, no database and no configuration, and writes nothing into it.

${lines.join('')}
Help of a command, with examples: holdfast COMMAND --help
Version: holdfast --version

${codes}`
}

/** What `holdfast COMMAND --help` prints. */
export function commandHelp({ name, usage, summary, details, options }: Command): string {
  const lines = options.map((option) => `  ${optionTexts[option]}\n`)
  return `holdfast ${name} ${usage}

${summary}

${lines.join('')}
${details}
${codes}`
}
