#!/usr/bin/env node
// Plain JavaScript that any Node understands: an old one must say what is wrong. An installed package runs what was built; a checkout, where nothing
// need be built, runs its source.
import { existsSync } from 'node:fs'
import module from 'node:module'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(`holdfast: needs Node 22.19 or newer, this is Node ${process.versions.node} (${process.execPath})\n`)
  process.exit(2)
}
const checkout = new URL('../../../tsconfig.base.json', import.meta.url)
if (existsSync(checkout)) {
  module.registerHooks({
    resolve: (specifier, context, next) => next(specifier, { ...context, conditions: [...context.conditions, '@holdfast/source'] }),
  })
  await import('../src/main.ts')
} else await import('../dist/main.js')
