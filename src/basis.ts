// What an answer rests on.

/** Whether what somebody found out still is what would be found out now. Asked for each request that is answered without finding out anew. */
export type Basis = () => boolean

export const always: Basis = () => true

/** Both must hold. Undefined where one of them cannot be told. */
export const both = (one: Basis | undefined, other: Basis | undefined): Basis | undefined =>
  one === undefined || other === undefined ? undefined : () => one() && other()
