// The colour profile of Display P3, for pictures that name it by its number only.
import { inflateSync } from 'node:zlib'
import { sharp } from '../sharp.ts'

let profile: Promise<Buffer> | undefined

/** An ICC profile: the one that the image library writes. */
export function p3Profile (): Promise<Buffer> {
  profile ??= read()
  return profile
}

async function read (): Promise<Buffer> {
  const png = await sharp({ create: { width: 1, height: 1, channels: 3, background: 'black' } }).withIccProfile('p3').png().toBuffer()
  const chunk = png.indexOf('iCCP')
  // The chunk holds a name, a zero, the method of compression, and what is compressed.
  return inflateSync(png.subarray(png.indexOf(0, chunk) + 2, chunk + 4 + png.readUInt32BE(chunk - 4)))
}
