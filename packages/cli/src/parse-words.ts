import { parseArgs } from 'node:util'
import { type DiskFormat, diskFormats } from '@holdfast/core/offline'
import { HoldfastError, nearest } from '@holdfast/core/spec'
import type { Command, OptionName, Words } from './command.ts'

const options = {
  json: { type: 'boolean' },
  workload: { type: 'string' },
  quick: { type: 'boolean' },
  into: { type: 'string' },
  to: { type: 'string' },
  disk: { type: 'string' },
  extract: { type: 'boolean' },
  format: { type: 'string' },
} as const satisfies { readonly [name in OptionName]: { readonly type: 'boolean' | 'string' } }

/** Throws INVALID_OPTIONS with what is wrong and how the command is written. */
export function parseWords(command: Command, rest: readonly string[]): Words {
  const refuse = (problem: string) =>
    new HoldfastError('INVALID_OPTIONS', problem, {
      remedy: `Write: holdfast ${command.name} ${command.usage}. More: holdfast ${command.name} --help`,
    })
  const { values, positionals, tokens } = parsed(rest, refuse)
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    if (!(command.options as readonly string[]).includes(token.name)) throw refuse(unknownOption(command, token.rawName))
    const type = options[token.name as OptionName].type
    const none = token.value === undefined || token.value === '' || (!token.inlineValue && token.value.startsWith('--'))
    if (type === 'string' && none) throw refuse(`${token.rawName} needs a value.`)
    if (type === 'boolean' && token.value !== undefined)
      throw refuse(`${token.rawName} takes no value, ${JSON.stringify(token.value)} was given.`)
  }
  const [folder, ...points] = positionals
  if (folder === undefined || folder === '') throw refuse('The folder of the repository is missing.')
  const { least, most } = command.points
  if (points.length < least) throw refuse('The point is missing.')
  if (points.length > most) throw refuse(`One word too many: ${JSON.stringify(points[most])}.`)
  const { format = 'qcow2', ...others } = values
  if (!isFormat(format)) throw refuse(`--format is ${JSON.stringify(format)}; allowed: ${diskFormats.join(', ')}.`)
  return { json: false, quick: false, extract: false, ...others, folder, points, format }
}

const isFormat = (word: string): word is DiskFormat => (diskFormats as readonly string[]).includes(word)

function parsed(rest: readonly string[], refuse: (problem: string) => HoldfastError) {
  const given = parseArgs({ args: [...rest], options, allowPositionals: true, strict: false, tokens: true })
  // Not strict, so that the messages can be ours; what is of the wrong type is refused before it is used.
  const values = given.values as { -readonly [name in OptionName]?: (typeof options)[name]['type'] extends 'boolean' ? boolean : string }
  const twice = given.tokens.find(
    (token, index) =>
      token.kind === 'option' && given.tokens.slice(0, index).some((each) => each.kind === 'option' && each.name === token.name),
  )
  if (twice?.kind === 'option') throw refuse(`${twice.rawName} was given twice.`)
  return { ...given, values }
}

function unknownOption({ name, options: known }: Command, given: string): string {
  const written = known.map((option) => `--${option}`)
  const near = nearest(given, written)
  return `${given} is not an option of "holdfast ${name}"${near === undefined ? `, which has ${written.join(', ')}.` : `: did you mean ${near}?`}`
}
