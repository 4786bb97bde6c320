import { describe, it } from 'vitest'
import { findPeers, type PeerFacts, type PeerName } from './find-peers.ts'
import { missingPeerNote } from './missing-peer-note.ts'

// Looked up once per test file, before any test is registered, so that `peer` and `describeWithPeer` answer at once.
const found = await findPeers()
const required = process.env.HOLDFAST_REQUIRE_PEERS === '1'

/** The connection facts of a peer, or undefined when it is not there. */
export function peer<Name extends PeerName>(name: Name): PeerFacts[Name] | undefined {
  const entry = found[name]
  return 'facts' in entry ? (entry.facts as PeerFacts[Name]) : undefined
}

/**
 * A group of tests that needs real peers. When one is missing, the group is one test that names it: skipped, or failed with
 * HOLDFAST_REQUIRE_PEERS=1. The body is not run then.
 *
 * @example describeWithPeers(['docker', 'zstd'], 'archives of volumes', ({ docker, zstd }) => { it(...) })
 */
export function describeWithPeers<Name extends PeerName>(
  names: readonly Name[],
  title: string,
  body: (facts: { [Each in Name]: PeerFacts[Each] }) => void,
): void {
  const missing = names.filter((name) => peer(name) === undefined)
  describe(title, () => {
    if (missing.length === 0)
      return body(Object.fromEntries(names.map((name) => [name, peer(name)])) as { [Each in Name]: PeerFacts[Each] })
    const note = `${missingPeerNote}${missing.map((name) => `${name} (${reason(name)})`).join(', ')}; npm run peers`
    it(`finds ${missing.join(' and ')}`, (context) => {
      if (required) throw new Error(note)
      context.skip(note)
    })
  })
}

/** {@link describeWithPeers} for one peer. */
export function describeWithPeer<Name extends PeerName>(name: Name, title: string, body: (facts: PeerFacts[Name]) => void): void {
  describeWithPeers([name], title, (facts) => body(facts[name]))
}

function reason(name: PeerName): string {
  const entry = found[name]
  return 'missing' in entry ? entry.missing : 'there'
}
