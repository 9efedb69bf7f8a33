// The files and fields of a multipart/form-data body (RFC 7578), in the order they come. What the parser reports of the body becomes our errors in form-parts.ts.
import type { MultipartFile } from '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import { UploadFieldInvalid, UploadFilesExceeded } from '../errors.ts'
import type { StagedFile } from '../storage/store.ts'
import { cleanFilename } from './filename.ts'
import { chunksOf, partsOf, textOf } from './form-parts.ts'
import type { Incoming } from './incoming.ts'
import type { ReceivedFile, ReceiveOptions } from './receive.ts'
import type { StagingArea } from './staging-area.ts'

/** The finished files; a file input in which nothing was chosen is none. */
export async function receiveMultipart (request: FastifyRequest, options: ReceiveOptions, incoming: Incoming, staging: StagingArea): Promise<ReceivedFile[]> {
  const { maxBytes, maxFiles, extraFiles, fieldNames, onField } = options
  const files: ReceivedFile[] = []
  const fields: Record<string, string> = {}
  let waiting: string | undefined

  for await (const part of partsOf(request, maxBytes, incoming)) {
    if (part.type === 'field') {
      const text = textOf(part)
      if (!fieldNames.includes(part.fieldname)) continue
      fields[part.fieldname] = text
      onField?.(part.fieldname, text)
      waiting = part.fieldname
    } else if (files.length < maxFiles) {
      const staged = await stage(part, maxBytes, incoming, staging)
      if (staged === undefined) continue
      files.push({ ...await finish(part, staged, incoming), fields: { ...fields } })
      waiting = undefined
    } else {
      const isChosen = await skip(part, maxBytes, incoming)
      if (isChosen && extraFiles === 'refused') throw new UploadFilesExceeded(maxFiles)
    }
  }
  // Better than a file that is private, or the service's own, because what was said of it came too late.
  if (waiting !== undefined && files.length > 0) throw new UploadFieldInvalid(`"${waiting}" comes after the last file; send it before the file it is meant for`)
  return files
}

/** Undefined when no file was chosen: browsers then send an empty part with an empty name. */
async function stage (part: MultipartFile, maxBytes: number, incoming: Incoming, staging: StagingArea): Promise<StagedFile | undefined> {
  let staged: StagedFile | undefined
  for await (const chunk of chunksOf(part, maxBytes, incoming)) {
    staged ??= await staging.open()
    await incoming.ours(staged.write(chunk))
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
