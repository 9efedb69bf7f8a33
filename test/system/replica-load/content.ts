// What is uploaded: made from its name, so that nobody has to keep it to know what must come back.
import { createCipheriv, createHash } from 'node:crypto'
import { noise, sha256 } from '../client.ts'

/** Of a file or a picture. */
export type Content = { readonly name: string, readonly size: number, readonly isPicture: boolean }

export const sha256Of = (content: Content): string => sha256(bytesOf(content))

export const bytesOf = ({ name, size, isPicture }: Content): Buffer => isPicture ? noise(size, keystream(name)) : keystream(name)(size)

function keystream (name: string): (size: number) => Buffer {
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(name).digest(), Buffer.alloc(16))
  return (size) => cipher.update(Buffer.alloc(size))
}
