// Attachments that are pictures, in the size of a screen.
import type { Caller } from '../callers/caller.ts'
import { PreviewUnavailable } from '../errors.ts'
import { isOfThePicture } from '../images/job-failures.ts'
import { specOf, type VariantQuery } from '../images/query.ts'
import { isPictureType } from '../images/types.ts'
import type { Variants } from '../images/variants.ts'
import type { Store } from '../storage/store.ts'
import { negotiateFormat } from '../transfer/negotiate.ts'
import type { Representation } from '../transfer/representation.ts'
import { addressOf, blobIdOf } from './records.ts'
import type { Attachments } from './service.ts'

export type Previews = ReturnType<typeof createPreviews>

export function createPreviews ({ attachments, store, variants }: { attachments: Pick<Attachments, 'readable' | 'represent'>, store: Pick<Store, 'localFile'>, variants: Variants }) {
  return {
    /** A picture small enough to look at. @throws PreviewUnavailable when it is none that can be shown */
    async preview (caller: Caller | null, id: string, { query, accept }: { query: VariantQuery, accept: string | undefined }): Promise<Representation> {
      const row = await attachments.readable(caller, id)
      const { contentType, width, height, thumbhash } = row.blob
      // What came in before pictures were looked at may be one that can be shown.
      if (!isPictureType(contentType) || (thumbhash === null && row.blob.metadataRemoved !== null)) throw new PreviewUnavailable()
      const spec = specOf(query, { kind: 'preview', picture: { width, height }, accepted: negotiateFormat(accept) })
      const source = { blobId: blobIdOf(row), contentType, width, height, isProven: thumbhash !== null, open: () => store.localFile(addressOf(row)) }
      const entry = await variants.get(source, spec).catch((error: unknown) => { throw isOfThePicture(error) ? new PreviewUnavailable({ cause: error }) : error })
      const { size: bytes, sha256, contentType: type, read, whole } = entry
      return { ...attachments.represent(row, false), size: bytes, sha256, contentType: type, filename: previewName(row.filename, type), read, whole, part: undefined, file: undefined, elsewhere: undefined }
    },
  }
}

/** "photo.heic" as "photo.webp". */
const previewName = (filename: string, contentType: string): string => `${filename.replace(/\.[^.]{1,8}$/, '')}.${contentType.replace(/^image\//, '').replace('jpeg', 'jpg')}`
