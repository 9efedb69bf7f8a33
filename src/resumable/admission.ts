// Bytes and files of resumable uploads set aside within their owner's quota, for as long as no row says that they are there.
import type { Quota } from '../records/quota.ts'
import type { Upload } from './records.ts'

/** Of the bytes of one request into the owner's quota: each commit of some of them goes through it. @throws QuotaExceeded */
export type Admission = {
  commit<T> (bytes: number, work: () => Promise<T>): Promise<T>
  end (): void
}

export function createAdmissions (quota: Pick<Quota, 'reserve'>) {
  const reserve = ({ creator, ownerId, kind }: Upload, { bytes, files }: { bytes: number, files: number }) =>
    quota.reserve({ callerId: creator.id, ownerId, bytes, files, isAvatar: kind === 'avatar' })

  /** The row of an upload counts for what it says; until it says so, this does. `bytes`, `files`: beside what it says already. */
  async function reserving<T> (upload: Upload, amount: { bytes: number, files: number }, work: () => Promise<T>): Promise<T> {
    const release = await reserve(upload, amount)
    try {
      return await work()
    } finally {
      release()
    }
  }

  /** Of a length that nobody knows the row counts what is durable: what a request announces is set aside for it, and what one does not announce must fit commit by commit. */
  async function admit (upload: Upload, declaredBytes: number | undefined): Promise<Admission> {
    if (upload.length !== undefined) return { commit: (_bytes, work) => work(), end: () => {} }
    const giveBack = await reserve(upload, { bytes: declaredBytes ?? 1, files: 0 })
    if (declaredBytes === undefined) {
      giveBack()
      return { commit: (bytes, work) => reserving(upload, { bytes, files: 0 }, work), end: () => {} }
    }
    return {
      async commit (bytes, work) {
        const done = await work()
        giveBack(bytes)
        return done
      },
      end: giveBack,
    }
  }

  return { reserving, admit }
}
