// JSON whose first member proves the rest: what says that a snapshot is whole must itself be whole.
import { createHash } from 'node:crypto'

const checksum = (body: unknown) => `sha256:${createHash('sha256').update(JSON.stringify(body)).digest('hex')}`

export function encodeProven (body: object): string {
  return `${JSON.stringify({ checksum: checksum(body), ...body }, null, 1)}\n`
}

/** Undefined when the text is not what `encodeProven` made, or not of the expected form. */
export function decodeProven<T> (text: string, isBody: (value: unknown) => value is T): T | undefined {
  try {
    const { checksum: stated, ...body } = JSON.parse(text)
    return stated === checksum(body) && isBody(body) ? body : undefined
  } catch {
    return undefined
  }
}
