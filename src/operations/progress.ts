// How far an operation is, told to whoever shows it. Shows nothing itself.

export type Unit = 'files' | 'bytes'

export type Progress = {
  /** Begins a step, and ends the one before. `total` undefined: nobody knows. */
  step (name: string, total?: number, unit?: Unit): void
  /** Of the current step, in its unit. */
  advance (count?: number): void
  /** A sentence for people, such as why nothing happens for a while. */
  say (message: string): void
}

export const silent: Progress = { step () {}, advance () {}, say () {} }
