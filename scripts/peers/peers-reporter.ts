import type { Reporter, TestModule } from 'vitest/node'
import { findPeers } from './find-peers.ts'
import { missingPeerNote } from './missing-peer-note.ts'

/** Last lines of `npm test`: which peers were missing, how many groups of tests that cost, and the one command that mends it. */
export default function peersReporter(): Reporter {
  return {
    async onTestRunEnd(modules) {
      const skipped = modules.reduce((sum, module) => sum + skippedGroups(module), 0)
      const missing = Object.entries(await findPeers()).flatMap(([name, entry]) =>
        'missing' in entry ? [`${name} (${entry.missing})`] : [],
      )
      if (missing.length === 0) process.stdout.write(' Peers: all there\n\n')
      else
        process.stdout.write(
          ` Missing peers: ${missing.join(', ')}.\n ${skipped} groups of tests were skipped for them. As root on Debian: npm run peers\n\n`,
        )
    },
  }
}

function skippedGroups(module: TestModule): number {
  return [...module.children.allTests('skipped')].filter((test) => {
    const result = test.result()
    return result.state === 'skipped' && result.note?.startsWith(missingPeerNote)
  }).length
}
