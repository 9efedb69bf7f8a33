// Which share of many files is read when only a part is: never so small that it says nothing.

/** Of few files, about so many are read, or all. */
export const readAtLeast = 20

/** `share` and the result: of 1. */
export const sampleOf = (files: number, share: number): number => Math.min(1, Math.max(share, readAtLeast / files))
