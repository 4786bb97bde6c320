/** Begins each note of a group of tests that was skipped for want of a peer; the reporter counts them by it. */
export const missingPeerNote = 'missing peer: '
