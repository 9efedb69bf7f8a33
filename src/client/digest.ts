// SHA-256 of what is sent, where the platform has it: browsers only in pages that are served securely.

/** More than this is not held in memory only to be hashed. */
const maxBytes = 32 * 1024 ** 2

/** Lower-case hex; nothing where it cannot be told, or only at too high a price. */
export async function sha256Of (file: Blob): Promise<string | undefined> {
  if (file.size > maxBytes || !canHash()) return undefined
  return Array.from(await hash(await file.arrayBuffer()), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** For Upload-Checksum of tus 1.0; nothing where it cannot be told. */
export async function checksumOf (bytes: ArrayBuffer): Promise<string | undefined> {
  return canHash() ? `sha256 ${btoa(String.fromCharCode(...await hash(bytes)))}` : undefined
}

/** Typed as if it were always there. */
function canHash (): boolean {
  return (globalThis.crypto as Partial<typeof globalThis.crypto> | undefined)?.subtle !== undefined
}

async function hash (bytes: ArrayBuffer): Promise<Uint8Array> {
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes))
}
