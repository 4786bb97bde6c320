// A child of the crash harness: writes a line to a file after each of its calls.
import { appendFile } from 'node:fs/promises'
import { crashChildHook } from '../crash-child.ts'
import { observeCalls } from '../observe-calls.ts'

const [file = '', mode] = process.argv.slice(2)
const notebook = observeCalls({ write: async (line: string) => appendFile(file, `${line}\n`) }, crashChildHook(), { seam: 'notebook' })
await notebook.write('one')
await notebook.write('two')
if (mode === 'fail') throw new Error('told to fail')
