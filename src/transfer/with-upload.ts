// The staged files of a request for as long as they are worked on: whatever is not published by then is gone.
import type { FastifyRequest } from 'fastify'
import { UploadMissing } from '../errors.ts'
import { receive, type ReceivedFile, type ReceiveOptions } from './receive.ts'

export type ReceivedFiles = readonly [ReceivedFile, ...ReceivedFile[]]

/** Receives, hands the files to `use`, and discards those that it did not publish. @throws what receive and `use` throw */
export async function withUpload<T> (request: FastifyRequest, options: ReceiveOptions, use: (files: ReceivedFiles) => Promise<T>): Promise<T> {
  const files = await receive(request, options)
  try {
    const [first, ...others] = files
    if (first === undefined) throw new UploadMissing()
    return await use([first, ...others])
  } finally {
    await Promise.all(files.map(({ staged }) => staged.discard()))
  }
}
