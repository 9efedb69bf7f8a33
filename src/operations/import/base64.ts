// Pictures that an older system kept as text in its database: base64 in the forms that clients and databases leave it in.
import { Unimportable } from './candidate.ts'

const dataUri = /^\s*data:([^,]{0,200}),/i

/**
 * With or without a data URI before it, wrapped, of either alphabet (RFC 4648 sections 4 and 5), padded or not.
 * @throws Unimportable when it is anything else
 */
export function decodeBase64 (text: string): Buffer {
  const [prefix = '', header = ''] = dataUri.exec(text) ?? []
  if (prefix !== '' && !/;\s*base64\s*$/i.test(header)) throw broken('it is a data URI without base64')
  const symbols = text.slice(prefix.length).replace(/\s+/g, '').replaceAll('-', '+').replaceAll('_', '/')
  const body = symbols.replace(/={1,2}$/, '')
  if (body === '') throw new Unimportable('empty', 'there is nothing in it')
  if (!/^[A-Za-z0-9+/]*$/.test(body)) throw broken('it is not base64')
  if (body.length % 4 === 1 || (symbols !== body && symbols.length % 4 !== 0)) throw broken('the base64 is cut off')
  const bytes = Buffer.from(body, 'base64')
  // Encoders leave the unused bits of the last symbol 0.
  if (bytes.toString('base64').replace(/=+$/, '') !== body) throw broken('the base64 is cut off')
  return bytes
}

const broken = (reason: string) => new Unimportable('broken-base64', reason)
