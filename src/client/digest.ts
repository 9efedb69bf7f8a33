// SHA-256 of what is sent, where the platform has it: browsers only in pages that are served securely.

/** More than this is not held in memory only to be hashed. */
const maxBytes = 32 * 1024 ** 2

/** Lower-case hex; nothing where it cannot be told, or only at too high a price. */
export async function sha256Of (file: Blob): Promise<string | undefined> {
  if (file.size > maxBytes || !canHash()) return undefined
  return hexOf(await hash(await file.arrayBuffer()))
}

/**
 * The digest of the digests of its pieces, which tells a file of any size from every other, and needs one piece in memory at a time.
 * Lower-case hex; nothing where it cannot be told. @throws the reason of `signal` when it is aborted
 */
export async function piecesSha256Of (file: Blob, signal: AbortSignal | undefined): Promise<string | undefined> {
  if (!canHash()) return undefined
  const digests: Array<Uint8Array<ArrayBuffer>> = []
  for (let start = 0; start < file.size; start += maxBytes) {
    signal?.throwIfAborted()
    digests.push(await hash(await file.slice(start, start + maxBytes).arrayBuffer()))
  }
  return hexOf(await hash(await new Blob(digests).arrayBuffer()))
}

/** For Upload-Checksum of tus 1.0; nothing where it cannot be told. */
export async function checksumOf (bytes: ArrayBuffer): Promise<string | undefined> {
  return canHash() ? `sha256 ${btoa(String.fromCharCode(...await hash(bytes)))}` : undefined
}

/** Typed as if it were always there. */
function canHash (): boolean {
  return (globalThis.crypto as Partial<typeof globalThis.crypto> | undefined)?.subtle !== undefined
}

async function hash (bytes: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes))
}

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
