// One node of two-nodes.integration.test.ts, in a process of its own.
import { createEngine } from '@holdfast/core'
import { nodeOptions } from './node-options.ts'

const [name = '', folder = '', webhook = ''] = process.argv.slice(2)
const engine = await createEngine(nodeOptions(name, folder, webhook))
await engine.start()
console.log('started')
