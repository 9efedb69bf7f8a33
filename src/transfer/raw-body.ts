// A request whose body is the file itself, named by Content-Disposition (RFC 6266).
import { isUtf8 } from 'node:buffer'
import { PassThrough, addAbortSignal } from 'node:stream'
import { parse } from 'content-disposition'
import type { FastifyRequest } from 'fastify'
import { cleanFilename } from './filename.ts'
import type { Incoming } from './incoming.ts'
import type { ReceivedFile } from './receive.ts'
import type { StagingArea } from './staging-area.ts'

/** The one file, or none when the body is empty. Its size is bounded by what `incoming` lets through. */
export async function receiveRawBody ({ raw, headers }: FastifyRequest, _options: unknown, incoming: Incoming, staging: StagingArea): Promise<ReceivedFile[]> {
  // Read through a stream of our own: ending the reading would otherwise destroy the socket, and the answer with it.
  const body = raw.pipe(addAbortSignal(incoming.signal, new PassThrough()))
  let staged
  for await (const chunk of body) {
    staged ??= await staging.open()
    await incoming.ours(staged.write(chunk))
    incoming.spent(chunk)
  }
  if (staged === undefined) return []
  const filename = filenameIn(headers['content-disposition'])
  return [{ staged, ...await incoming.ours(staged.finish()), fieldName: '', filename, declaredType: headers['content-type'], fields: {} }]
}

function filenameIn (header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const { filename } = parse(asUtf8(header)).parameters
  return filename === undefined ? undefined : cleanFilename(filename)
}

/** Node reads header bytes as Latin-1; many clients, curl among them, send plain UTF-8. */
function asUtf8 (header: string): string {
  const bytes = Buffer.from(header, 'latin1')
  return isUtf8(bytes) ? bytes.toString('utf8') : header
}
