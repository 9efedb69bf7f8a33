// Whether a blob can be had without the gateway: the part of a representation that says so.
import type { BlobAddress, Store } from '../storage/store.ts'
import type { Representation } from './representation.ts'

/** Nothing where its home can be read through the gateway alone. */
export function elsewhere ({ presign }: Pick<Store, 'presign'>, address: BlobAddress): Pick<Representation, 'elsewhere'> {
  return presign === undefined ? {} : { elsewhere: (seconds, headers) => presign(address, seconds, headers) }
}
