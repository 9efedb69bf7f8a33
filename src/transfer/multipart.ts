// The files and fields of a multipart/form-data body (RFC 7578), in the order they come. What the parser reports of the body becomes our errors in form-parts.ts.
import type { MultipartFile } from '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import { DigestInvalid, UploadFieldInvalid, UploadFilesExceeded } from '../errors.ts'
import type { StagedFile } from '../storage/store.ts'
import { requireSame, sha256In, type Digests } from './digest.ts'
import { cleanFilename } from './filename.ts'
import { chunksOf, joined, partsOf, textOf } from './form-parts.ts'
import type { Incoming } from './incoming.ts'
import type { ReceivedFile, ReceiveOptions } from './receive.ts'
import type { StagingArea } from './staging-area.ts'

/** The field whose text is the next file's, in hex, and no other's. */
const digestField = 'sha256'

/** The finished files; a file input in which nothing was chosen is none. */
export async function receiveMultipart (request: FastifyRequest, options: ReceiveOptions, incoming: Incoming, staging: StagingArea): Promise<ReceivedFile[]> {
  const { maxBytes, maxFiles, extraFiles, fieldNames, listNames = [], onField } = options
  const files: ReceivedFile[] = []
  const fields: Record<string, string> = {}
  let waiting: string | undefined
  let stated: Digests | undefined
  const begun = new Set<string>()

  for await (const part of partsOf(request, maxBytes, incoming)) {
    if (part.type === 'field') {
      const isList = listNames.includes(part.fieldname)
      const text = textOf(part, isList)
      if (part.fieldname === digestField) {
        if (stated !== undefined) throw new DigestInvalid(`there are two fields "${digestField}" before one file`)
        stated = sha256In(text)
        continue
      }
      if (!fieldNames.includes(part.fieldname)) continue
      const before = begun.has(part.fieldname) ? fields[part.fieldname] : undefined
      fields[part.fieldname] = before === undefined ? text : joined(part.fieldname, before, text)
      if (isList) begun.add(part.fieldname)
      onField?.(part.fieldname, text)
      waiting = part.fieldname
    } else if (files.length < maxFiles) {
      const staged = await stage(part, maxBytes, incoming, staging)
      if (staged === undefined) continue
      const file = await finish(part, staged, incoming)
      requireSame(`the field "${digestField}" of file ${files.length + 1}`, stated ?? {}, { 'sha-256': file.sha256 })
      files.push({ ...file, fields: { ...fields } })
      waiting = stated = undefined
      begun.clear()
    } else {
      const isChosen = await skip(part, maxBytes, incoming)
      if (isChosen && extraFiles === 'refused') throw new UploadFilesExceeded(maxFiles)
      if (isChosen) stated = undefined
    }
  }
  // Better than a file that is private, or the service's own, because what was said of it came too late.
  const late = waiting ?? (stated && digestField)
  if (late !== undefined && files.length > 0) throw new UploadFieldInvalid(`"${late}" comes after the last file; send it before the file it is meant for`)
  return files
}

/** Undefined when no file was chosen: browsers then send an empty part with an empty name. */
async function stage (part: MultipartFile, maxBytes: number, incoming: Incoming, staging: StagingArea): Promise<StagedFile | undefined> {
  let staged: StagedFile | undefined
  for await (const chunk of chunksOf(part, maxBytes, incoming)) {
    staged ??= await staging.open()
    await incoming.ours(staged.write(chunk))
    incoming.spent(chunk)
  }
  return staged ?? (part.filename ? staging.open() : undefined)
}

async function finish ({ fieldname, filename, mimetype }: MultipartFile, staged: StagedFile, incoming: Incoming) {
  const { size, sha256 } = await incoming.ours(staged.finish())
  return { staged, size, sha256, fieldName: fieldname, filename: cleanFilename(filename ?? ''), declaredType: mimetype }
}

/** Whether there was a file in it. */
async function skip (part: MultipartFile, maxBytes: number, incoming: Incoming): Promise<boolean> {
  let bytes = 0
  for await (const chunk of chunksOf(part, maxBytes, incoming)) bytes += chunk.length
  return bytes > 0 || Boolean(part.filename)
}
