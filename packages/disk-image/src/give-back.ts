/**
 * Gives the memory of bytes back at once that a codec of Node has made and nobody reads any more. The collector would find it only after tens of megabytes more: it looks at what objects
 * weigh, and these weigh nothing but what is behind them. Bytes that share their memory with others are left alone.
 */
export function giveBack(bytes: Uint8Array): void {
  const { buffer, byteOffset } = bytes
  if (buffer instanceof ArrayBuffer && byteOffset === 0 && buffer.byteLength > Buffer.poolSize) buffer.transfer(0)
}
