import ts from 'typescript'

/** One use of what a library must be given. */
export interface AmbientUse {
  line: number
  what: string
}

/** First line of a file of the testkit that may read time, randomness or the environment; the reason follows the colon. */
export const ambientMarker = /^\/\/ ambient: \S/

// Reading these gives another value each time or on each machine. `new Date(ms)`, `Date.UTC` and `Date.parse` are functions of their arguments.
const members = new Set([
  'Date.now',
  'Math.random',
  'performance.now',
  'performance.timeOrigin',
  'crypto.randomUUID',
  'crypto.getRandomValues',
  'AbortSignal.timeout',
])
const globals = new Set(['console', 'process', 'setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'navigator', 'fetch'])
const modules = new Set(['node:os', 'node:timers', 'node:timers/promises', 'node:perf_hooks', 'node:process', 'node:console'])
const cryptoNames = new Set(['randomUUID', 'randomBytes', 'randomInt', 'randomFill', 'randomFillSync', 'getRandomValues', 'webcrypto'])

/** Each place in a source text that reads ambient time, randomness or environment, or writes to the console. */
export function findAmbient(path: string, text: string): AmbientUse[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const uses: AmbientUse[] = []
  const visit = (node: ts.Node): void => {
    const what = ambientIn(node, file)
    if (what !== undefined) uses.push({ line: file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1, what })
    // A type names these without reading them.
    if (!ts.isTypeNode(node)) ts.forEachChild(node, visit)
  }
  visit(file)
  return uses
}

function ambientIn(node: ts.Node, file: ts.SourceFile): string | undefined {
  if (ts.isPropertyAccessExpression(node)) {
    const name = node.getText(file).replace(/^globalThis\./, '')
    return members.has(name) || (isNamed(node.expression, 'globalThis') && globals.has(node.name.text)) ? name : undefined
  }
  if (ts.isNewExpression(node)) return isNamed(node.expression, 'Date') && (node.arguments?.length ?? 0) === 0 ? 'new Date()' : undefined
  if (ts.isCallExpression(node)) return isNamed(node.expression, 'Date') ? 'Date()' : undefined
  if (ts.isImportDeclaration(node)) return ambientImport(node)
  return ts.isIdentifier(node) && globals.has(node.text) && isReference(node) ? node.text : undefined
}

function isNamed(node: ts.Expression, name: string): boolean {
  return ts.isIdentifier(node) && node.text === name
}

function ambientImport(node: ts.ImportDeclaration): string | undefined {
  if (node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword || !ts.isStringLiteral(node.moduleSpecifier)) return undefined
  const module = node.moduleSpecifier.text
  if (modules.has(module)) return `import of ${module}`
  if (module !== 'node:crypto') return undefined
  const bindings = node.importClause?.namedBindings
  if (bindings === undefined || !ts.isNamedImports(bindings)) return 'import of all of node:crypto'
  const name = bindings.elements.map((element) => (element.propertyName ?? element.name).text).find((each) => cryptoNames.has(each))
  return name === undefined ? undefined : `import of ${name} from node:crypto`
}

/** Whether the identifier reads a variable of that name: not a member, a property name, a parameter or a declaration. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node
  if (ts.isShorthandPropertyAssignment(parent)) return true
  if (ts.isVariableDeclaration(parent) || ts.isParameter(parent) || ts.isBindingElement(parent)) return parent.initializer === node
  const names =
    ts.isMethodDeclaration(parent) || ts.isMethodSignature(parent) || ts.isPropertySignature(parent) || ts.isFunctionDeclaration(parent)
  return !names && !ts.isImportSpecifier(parent) && !ts.isExportSpecifier(parent)
}
