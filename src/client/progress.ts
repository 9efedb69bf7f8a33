// How far an upload is, in bytes of the file: what a form adds around it is left out.

export type Progress = { readonly sentBytes: number, readonly totalBytes: number }

/** All bytes sent is not yet kept: that is what the promise of the call says. */
export type OnProgress = (progress: Progress) => void

/**
 * For a transport that counts the bytes of a body: of the file, `beforeBytes` were sent before, `bytes` come with this body.
 * What is sent last is counted last: of a form, the part after the file is a line.
 */
export function telling (onProgress: OnProgress | undefined, { totalBytes, beforeBytes = 0, bytes = totalBytes }: { totalBytes: number, beforeBytes?: number, bytes?: number }): ((sent: number) => void) | undefined {
  return onProgress && ((sent) => onProgress({ sentBytes: beforeBytes + Math.min(bytes, sent), totalBytes }))
}
