import { HoldfastError } from '@holdfast/core/spec'

/** For whoever asks something of a provider that is over. */
export const closedError = (): HoldfastError =>
  new HoldfastError('ABORTED', 'The provider was closed, as engine.stop() does with all of an engine.', {
    retryable: false,
    remedy: 'Make a new one with esxi(...) for what comes after.',
  })
