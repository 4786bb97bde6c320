import { describe } from 'vitest'
import { describeWithPeer } from '../../../scripts/peers/test-peers.ts'
import { openGovmomiHost } from './support/govmomi-host.ts'
import { replicaTests } from './support/replica-tests.ts'
import { sessionTests, snapshotTests } from './support/session-tests.ts'
import { type OpenTestedHost, openSimulatedHost } from './support/tested-host.ts'
import { exportTests, importTests, leaseTests } from './support/transfer-tests.ts'

/** The same tests, whoever has written the host: what passes on one alone is a habit of that one. */
function describeHost(open: OpenTestedHost): void {
  describe('sessions', () => sessionTests(open))
  describe('snapshots', () => snapshotTests(open))
  describe('leases', () => leaseTests(open))
  describe('an export', () => exportTests(open))
  describe('imports', () => importTests(open))
  describe('replicas', () => replicaTests(open))
}

describe('on the simulator of the testkit', () => describeHost(openSimulatedHost))

describeWithPeer('govmomi', 'on the simulator of govmomi', (facts) => describeHost((options) => openGovmomiHost(facts, options)))
