import { HoldfastError, nearest } from '@holdfast/core/spec'
import type { Command } from './command.ts'
import { pointsCommand } from './commands/points.ts'
import { restoreCommand } from './commands/restore.ts'
import { showCommand } from './commands/show.ts'
import { verifyCommand } from './commands/verify.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import { commandHelp, generalHelp } from './help.ts'
import type { Host } from './host.ts'
import { parseWords } from './parse-words.ts'
import { jsonText } from './printable.ts'
import { errorJson, errorText } from './tell-error.ts'
import { version } from './version.ts'

const commands: readonly Command[] = [pointsCommand, showCommand, verifyCommand, restoreCommand]
const helpWords: ReadonlySet<string | undefined> = new Set(['--help', '-h', 'help'])

/**
 * Runs one command. `words` are those after the program's name. Never rejects: what goes wrong is told through `host`, and the answer is the exit
 * code (0 good, 1 damage was found, 2 wrong usage or not possible, 130 interrupted). Aborting `host.signal` stops it; what was unfinished is removed.
 */
export async function runHoldfast(words: readonly string[], host: Host): Promise<number> {
  const json = words.includes('--json')
  try {
    return await run(words, host)
  } catch (error) {
    if (json) host.write(jsonText({ error: errorJson(error) }))
    host.tell(errorText(error))
    return exitCodeOf(error)
  }
}

async function run([name, ...rest]: readonly string[], host: Host): Promise<number> {
  if (name === undefined) {
    host.tell(generalHelp(commands))
    return exitCodes.cannot
  }
  if (name === '--version' || name === '-V') {
    host.write(`holdfast ${version}\n`)
    return exitCodes.good
  }
  const command = commands.find((each) => each.name === (helpWords.has(name) ? rest[0] : name))
  const asked = helpWords.has(name) || untilEnd(rest).some((word) => helpWords.has(word) && word !== 'help')
  if (helpWords.has(name) && rest[0] === undefined) host.write(generalHelp(commands))
  else if (command === undefined) throw unknownCommand(helpWords.has(name) ? (rest[0] ?? '') : name)
  else if (asked) host.write(commandHelp(command))
  else return await command.run(parseWords(command, rest), host)
  return exitCodes.good
}

/** Behind `--` there are only names. */
function untilEnd(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--')
  return end < 0 ? words : words.slice(0, end)
}

function unknownCommand(name: string): HoldfastError {
  const names = commands.map((command) => command.name)
  const near = nearest(name, names)
  const message = `${JSON.stringify(name)} is no command${near === undefined ? '' : `: did you mean ${near}?`}`
  return new HoldfastError('INVALID_OPTIONS', message, { remedy: `There are: ${names.join(', ')}. More: holdfast --help` })
}
