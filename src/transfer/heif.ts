// Tells HEIF pictures and sequences, AVIF and HEIC among them, from the movies that are made of the same boxes (ISO/IEC 14496-12).
import { bytesInMemory } from '../images/metadata/bytes.ts'
import { createBoxReader, type Box } from '../images/metadata/isobmff/boxes.ts'

const words = (text: string): readonly string[] => text.trim().split(/\s+/)

/** ISO/IEC 23008-12, section 10 and the annexes of its codecs; ISO/IEC 23000-22 for MIAF; AVIF, section 6. */
const typeOfBrand = new Map<string, string | undefined>([
  ...words('avif avis avio').map((brand) => [brand, 'image/avif'] as const),
  ...words('heic heix heim heis hevc hevx hevm hevs').map((brand) => [brand, 'image/heic'] as const),
  ...words('mif1 mif2 mif3 msf1 miaf 1pic MiPr MiAB MiAn MiBu MiCm MiHA MiHB MiHE MA1A MA1B avci avcs evbi evbs evmi evms vvic vvis jpeg jpgs j2ki j2is unif')
    .map((brand) => [brand, undefined] as const),
])

/**
 * `head`: the first bytes of the file. Undefined when it is none. A major brand of pictures says that it is one. Among the compatible brands,
 * where movies may have it too, it counts only with a box of pictures and without one of a movie.
 */
export function heifType (head: Buffer): string | undefined {
  const [first, ...others] = boxesOf(head)
  if (first?.type !== 'ftyp') return undefined
  const brands = brandsOf(head, first)
  const [major = ''] = brands
  const known = brands.filter((brand) => typeOfBrand.has(brand))
  if (known.length === 0 || !(typeOfBrand.has(major) || holdsPictures(head, others))) return undefined
  return known.map((brand) => typeOfBrand.get(brand)).find((type) => type !== undefined) ?? 'image/heif'
}

/** The last may reach beyond the head. */
function boxesOf (head: Buffer): Box[] {
  const boxes: Box[] = []
  const walk = createBoxReader(bytesInMemory(head)).boxesThatFit(0, head.length)
  for (let next = walk.next(); ; next = walk.next()) {
    if (next.value !== undefined) boxes.push(next.value)
    if (next.done) return boxes
  }
}

/** ISO/IEC 14496-12, section 4.3: the major brand, its version, and the compatible brands. */
function brandsOf (head: Buffer, { content, end }: Box): string[] {
  const starts = [content]
  for (let at = content + 8; at + 4 <= Math.min(end, head.length); at += 4) starts.push(at)
  return starts.map((start) => head.toString('latin1', start, start + 4))
}

function holdsPictures (head: Buffer, boxes: readonly Box[]): boolean {
  return !boxes.some(({ type }) => type === 'moov') && boxes.some((box) => box.type === 'meta' && handlerOf(head, box) === 'pict')
}

/** Section 8.4.3: hdlr is the first box in meta, behind its version and flags. */
function handlerOf (head: Buffer, { content }: Box): string | undefined {
  const start = content + 4
  return head.toString('latin1', start + 4, start + 8) === 'hdlr' ? head.toString('latin1', start + 16, start + 20) : undefined
}
