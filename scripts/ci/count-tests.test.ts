import { describe, expect, it } from 'vitest'
import { countTests } from './count-tests.js'

const report = (passed: number, failed: number, files: object[] = []) =>
  JSON.stringify({ numPassedTests: passed, numFailedTests: failed, testResults: files })

describe('the count of a test run', () => {
  it('is the one of the report', () => {
    expect(countTests(report(7, 0), 0)).toEqual({ passed: 7, failed: 0 })
    expect(countTests(report(7, 2, [{ status: 'failed', assertionResults: [{ status: 'failed' }] }]), 1)).toEqual({ passed: 7, failed: 2 })
  })

  it('counts a file that did not load as one failure', () => {
    expect(countTests(report(7, 0, [{ status: 'failed', assertionResults: [] }]), 1)).toEqual({ passed: 7, failed: 1 })
  })

  it('is never green for a run that broke, ran nothing or wrote no report', () => {
    expect(countTests(report(7, 0), 1)).toEqual({ passed: 7, failed: 1 })
    expect(countTests(report(0, 0), 0)).toEqual({ passed: 0, failed: 1 })
    expect(countTests(undefined, 0)).toEqual({ passed: 0, failed: 1 })
  })
})
