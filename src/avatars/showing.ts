// What is answered for a picture: the stored bytes, or a variant of them.
import { asksForVariant, specOf } from '../images/query.ts'
import { parseCrop } from '../images/spec.ts'
import { isHeic, isPictureType, type PictureType } from '../images/types.ts'
import type { Variants } from '../images/variants.ts'
import type { BlobId } from '../storage/ids.ts'
import type { Store } from '../storage/store.ts'
import { namesOtherPictures, negotiateFormat } from '../transfer/negotiate.ts'
import type { Representation } from '../transfer/representation.ts'
import { stored } from '../transfer/stored.ts'
import type { AvatarBlob } from './records.ts'
import type { View } from './view.ts'

type Cached = Pick<Representation, 'lastModified' | 'cacheControl' | 'basis'>

/** Revalidated each time: a 304 is cheap, a stale face is not. */
export const revalidated = 'public, no-cache'
export const immutable = 'public, max-age=31536000, immutable'

/** Without a view, or one that asks for nothing: the stored bytes. */
export type Show = (blob: AvatarBlob, cached: Cached, view?: View) => Promise<Representation>

const addressOf = ({ id, extension }: AvatarBlob) => ({ kind: 'avatar' as const, id: id as BlobId, extension })

/** The stored bytes, whatever is asked for. */
export const showingStored = ({ store }: { store: Parameters<typeof stored>[0] }): Show => async (blob, cached) => ({
  ...cached, size: Number(blob.size), sha256: blob.sha256, contentType: blob.contentType, isPublic: true, ...stored(store, addressOf(blob), Number(blob.size)),
})

/** HEIC goes as it is only to those who do not say that they show other pictures. */
export function showing ({ store, variants }: { store: Parameters<typeof stored>[0] & Pick<Store, 'localFile'>, variants: Variants }): Show {
  const showStored = showingStored({ store })

  async function variant (blob: AvatarBlob, contentType: PictureType, { query, accept }: View, cached: Cached, kind: 'avatar' | 'preview'): Promise<Representation> {
    const { width, height, thumbhash } = blob
    const crop = kind === 'avatar' && blob.crop !== null ? parseCrop(blob.crop) : undefined
    const spec = specOf(query, { kind, picture: { width, height, crop }, accepted: negotiateFormat(accept) })
    const entry = await variants.get({ blobId: blob.id as BlobId, contentType, width, height, isProven: thumbhash !== null, open: () => store.localFile(addressOf(blob)) }, spec)
    return { ...cached, ...entry, isPublic: true }
  }

  return async (blob, cached, view) => {
    const { contentType } = blob
    if (view === undefined || !isPictureType(contentType)) return showStored(blob, cached)
    if (asksForVariant(view.query)) return variant(blob, contentType, view, cached, 'avatar')
    if (!isHeic(contentType)) return showStored(blob, cached)
    view.vary()
    return namesOtherPictures(view.accept, contentType) ? variant(blob, contentType, view, cached, 'preview') : showStored(blob, cached)
  }
}
