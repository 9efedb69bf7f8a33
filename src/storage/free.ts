// Memory of bytes that nobody needs any more, given back at once: the collector comes late, and has much to look at each time.

/** Nobody may read `bytes` afterwards. Those that share their memory with others are left to the collector. */
export function free ({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
