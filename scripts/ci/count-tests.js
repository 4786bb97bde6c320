// node scripts/ci/count-tests.js REPORT EXITCODE: prints "passed failed" from vitest's JSON report. Plain JavaScript: it runs with the machine's Node.
import { existsSync, readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

/**
 * A file that could not be loaded has no failed test in it, and a run that broke may have none at all: each counts as one failure, so that a red run
 * never looks green.
 */
export function countTests(text, exitCode) {
  if (text === undefined) return { passed: 0, failed: 1 }
  const report = JSON.parse(text)
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  const failed = report.numFailedTests + broken.length
  const none = report.numPassedTests === 0 || exitCode !== 0
  return { passed: report.numPassedTests, failed: failed === 0 && none ? 1 : failed }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [path = '', exitCode = '1'] = process.argv.slice(2)
  const { passed, failed } = countTests(existsSync(path) ? readFileSync(path, 'utf8') : undefined, Number(exitCode))
  process.stdout.write(`${passed} ${failed}\n`)
}
