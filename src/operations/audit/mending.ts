// What can be done about one finding: a sentence, and the act behind it unless there is none.
import type { Inventory } from '../../records/inventory.ts'
import type { Workplace } from '../workplace.ts'
import type { IsErased } from '../verify/erased.ts'
import type { Moving } from './moving.ts'
import type { Sources } from './sources.ts'

export type Mending =
  /** `done`: the same, once it is. */
  | { readonly action: string, readonly done: string, readonly mend: () => Promise<void> }
  /** Nothing can be done, for this reason. */
  | { readonly left: string }
  /** It is right by now. */
  | { readonly isRight: true }

export type Tools = Pick<Workplace, 'fs' | 'root' | 'client' | 'now' | 'storage' | 'settling' | 'ledger' | 'tombstones'> & {
  readonly inventory: Inventory
  readonly sources: Sources
  readonly moving: Moving
  readonly isErased: IsErased
}

export const left = (reason: string): Mending => ({ left: reason })
export const isRight: Mending = { isRight: true }
