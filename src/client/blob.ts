// What can be sent: a Blob, of which a File is one. What is sent how is decided by others.

/**
 * Those of another window or of a polyfill will do, so it is not asked whose Blob it is.
 * @throws TypeError
 */
export function requireBlob (file: unknown): void {
  const { size, arrayBuffer, slice } = (file ?? {}) as Partial<Blob>
  if (typeof size === 'number' && typeof arrayBuffer === 'function' && typeof slice === 'function') return
  throw new TypeError('What is uploaded must be a File or Blob, such as input.files[0] or new Blob([bytes]), or in Node await openAsBlob(path).')
}
