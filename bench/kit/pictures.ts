// Pictures of a wanted size in bytes: noise, which no format makes much smaller.
import sharp from 'sharp'

/** A square JPEG of about `bytes` bytes, within two of a hundred. */
export async function picture (bytes: number): Promise<Buffer> {
  for (let side = Math.ceil(Math.sqrt(bytes)); ; side = Math.ceil(side * 1.1)) {
    const raw = await sharp({ create: { width: side, height: side, channels: 3, background: 'gray', noise: { type: 'gaussian', mean: 128, sigma: 40 } } }).raw().toBuffer()
    for (let quality = 95; quality > 40; quality -= 1) {
      const jpeg = await sharp(raw, { raw: { width: side, height: side, channels: 3 } }).jpeg({ quality }).toBuffer()
      if (Math.abs(jpeg.length - bytes) < bytes / 50) return jpeg
    }
  }
}
