// What may be said of a picture when it is sent: as form fields before it, in the query, or in the metadata of a resumable upload.
import { Type, type Static } from 'typebox'
import { CropInvalid } from '../errors.ts'
import { CropText, MetadataChoice } from '../images/query.ts'
import { parseCrop, type Crop } from '../images/spec.ts'
import type { Choices } from './uploads.ts'

export const PictureFields = Type.Object({ crop: Type.Optional(CropText), metadata: Type.Optional(MetadataChoice) })

/** @throws CropInvalid */
export function choicesIn ({ crop, metadata }: Static<typeof PictureFields>): Choices {
  return { keepsMetadata: metadata && metadata === 'keep', crop: crop === undefined ? undefined : cropIn(crop) }
}

/** @throws CropInvalid when it reaches out of the picture */
export function cropIn (text: string): Crop {
  const crop = parseCrop(text)
  if (crop === undefined) throw new CropInvalid()
  return crop
}
