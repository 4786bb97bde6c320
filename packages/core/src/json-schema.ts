// JSON Schemas of plain data, for forms, editors and other languages. Apart from the main entry, because they load what parses.

export { manifestJsonSchema } from './model/manifest.ts'
export { planJsonSchema } from './model/plan.ts'
export { runInputJsonSchema } from './model/run-input.ts'
export { runViewJsonSchema } from './model/run-view.ts'
