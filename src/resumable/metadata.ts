// Upload-Metadata (tus 1.0, creation): what a client says of the file to come, as pairs of a name and text in base64.
import { ResumableInvalid } from '../errors.ts'
import { cleanFilename } from '../transfer/filename.ts'

/** By name. @throws ResumableInvalid */
export function metadataIn (header: string | undefined): ReadonlyMap<string, string> {
  const pairs = (header ?? '').split(',').map((pair) => pair.trim()).filter((pair) => pair !== '').map(pairIn)
  const metadata = new Map(pairs)
  if (metadata.size < pairs.length) throw new ResumableInvalid('a name comes twice in Upload-Metadata')
  return metadata
}

function pairIn (text: string): [name: string, value: string] {
  const [, name, encoded = ''] = /^([\x21-\x2b\x2d-\x7e]+)(?: +([A-Za-z0-9+/]*={0,2}))?$/.exec(text) ?? []
  if (name === undefined) throw new ResumableInvalid('Upload-Metadata must be pairs of a name and its value in base64, separated by commas')
  return [name, textIn(name, encoded)]
}

function textIn (name: string, encoded: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(encoded, 'base64'))
  } catch (error) {
    throw new ResumableInvalid(`"${name}" in Upload-Metadata is not UTF-8`, { cause: error })
  }
}

/** The name and type of the file, as far as they are said. */
export function fileIn (metadata: ReadonlyMap<string, string>): { filename: string | undefined, declaredType: string | undefined } {
  return { filename: cleanFilename(metadata.get('filename') ?? ''), declaredType: metadata.get('filetype') }
}

/** Those that are named. */
export function fieldsIn (metadata: ReadonlyMap<string, string>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries([...metadata].filter(([name]) => names.includes(name)))
}
