// What a load came to: what each user must have by now, what was answered, and what went wrong. As JSON, for whoever looks afterwards.
import type { Content } from './content.ts'

export type Kept = Content & {
  readonly id: string
  readonly isPublic: boolean
  alt: string | null
  /** unsure: a change of it was never answered. */
  state: 'live' | 'deleted' | 'unsure'
}

export type Version = Content & { readonly version: string }

export type Holdings = {
  readonly user: string
  readonly files: Kept[]
  /** Every picture that was acknowledged. */
  readonly pictures: Version[]
  /** The version that is shown; undefined while there is none, or nobody can know. */
  current: string | undefined
  /** Names of files and pictures that were sent and never acknowledged: each may be there once. */
  readonly unanswered: string[]
}

/** An operation that failed for good, after all attempts. */
export type Failure = { readonly user: string, readonly operation: string, readonly reason: string, readonly startedAt: number, readonly endedAt: number }

export type Ledger = {
  readonly seed: string
  readonly holdings: readonly Holdings[]
  /** Operations that succeeded, by kind. */
  readonly done: Record<string, number>
  readonly failures: readonly Failure[]
  /** Requests, with those that were tried again. */
  readonly requests: number
  /** Answers that say what cannot be. Must be empty. */
  readonly wrong: readonly string[]
}
