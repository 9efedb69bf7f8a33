// Boxes, and HEIF files made of them. What they show is no picture: nothing here is decoded.

export function number (length: 1 | 2 | 4 | 8, ...values: number[]): Buffer {
  return Buffer.concat(values.map((value) => {
    const bytes = Buffer.alloc(length)
    if (length === 8) bytes.writeBigUInt64BE(BigInt(value))
    else bytes.writeUIntBE(value, 0, length)
    return bytes
  }))
}

export function box (type: string, ...contents: Array<Buffer | string>): Buffer {
  const content = Buffer.concat(contents.map((part) => Buffer.from(part)))
  return Buffer.concat([number(4, 8 + content.length), Buffer.from(type, 'latin1'), content])
}

export const fullBox = (type: string, version: number, ...contents: Array<Buffer | string>): Buffer => box(type, Buffer.from([version, 0, 0, 0]), ...contents)

export const hdlr = (handler: string, name = ''): Buffer => fullBox('hdlr', 0, Buffer.alloc(4), handler, Buffer.alloc(12), `${name}\0`)

export const ftyp = box('ftyp', 'avif', Buffer.alloc(4), 'mif1avif')

export type Item = {
  readonly id?: number
  readonly type?: string
  /** Name, and for some types content type and encoding: each ends with a zero. */
  readonly strings?: string
  readonly data?: Buffer
  /** Construction method 1. */
  readonly isInIdat?: boolean
  /** Of each its distance from the start of the file or idat, instead of where `data` is. */
  readonly extents?: ReadonlyArray<readonly [offset: number, length: number]>
}

export type Parts = {
  readonly items?: readonly Item[]
  readonly primary?: number
  readonly ilocVersion?: 0 | 1 | 2
  readonly infeVersion?: number
  readonly sizes?: { readonly offset: 0 | 4 | 8, readonly length: 0 | 4 | 8, readonly base: 0 | 4 | 8, readonly index: 0 | 4 | 8 }
  readonly properties?: readonly Buffer[]
  readonly inMeta?: readonly Buffer[]
  /** Between ftyp and meta. */
  readonly before?: readonly Buffer[]
  /** Behind the data. */
  readonly after?: readonly Buffer[]
  /** Behind the data of the items, in the same box. */
  readonly rest?: Buffer
}

export const pixels = Buffer.from('these are pixels, all of them')
export const picture: Item = { type: 'av01', data: pixels }

/** The version of the boxes and the sizes of their fields are those that can hold what is said, unless they are given. */
export function heif ({
  items = [picture], primary = 1, ilocVersion = 1, infeVersion = 2, sizes = { offset: 4, length: 4, base: 0, index: 0 },
  properties = [], inMeta = [], before = [], after = [], rest = Buffer.alloc(0),
}: Parts): Buffer {
  const all = items.map((item, index) => ({ id: index + 1, type: 'av01', strings: '\0', data: Buffer.alloc(0), isInIdat: false, ...item }))
  const inIdat = all.filter(({ isInIdat }) => isInIdat)
  const inMdat = all.filter(({ isInIdat }) => !isInIdat)
  const distance = (list: typeof all, item: typeof all[number]) => list.slice(0, list.indexOf(item)).reduce((sum, { data }) => sum + data.length, 0)

  const field = (length: 0 | 4 | 8, value: number) => length === 0 ? Buffer.alloc(0) : number(length, value)
  const idLength = ilocVersion === 2 ? 4 : 2
  const location = (item: typeof all[number], start: number) => {
    const base = item.isInIdat ? 0 : start
    const whole = [[sizes.base > 0 ? 0 : base, 0] as const, [item.isInIdat ? distance(inIdat, item) : distance(inMdat, item), item.data.length] as const]
    const extents = item.extents ?? (item.data.length === 0 ? [] : [[(whole[0]?.[0] ?? 0) + (whole[1]?.[0] ?? 0), item.data.length] as const])
    return Buffer.concat([
      number(idLength, item.id), ilocVersion === 0 ? Buffer.alloc(0) : number(2, item.isInIdat ? 1 : 0), number(2, 0),
      field(sizes.base, item.extents ? 0 : base), number(2, extents.length),
      ...extents.map(([offset, length]) => Buffer.concat([ilocVersion === 0 ? Buffer.alloc(0) : field(sizes.index, 0), field(sizes.offset, offset), field(sizes.length, length)])),
    ])
  }
  const meta = (start: number) => fullBox('meta', 0,
    hdlr('pict'),
    fullBox('pitm', 0, number(2, primary)),
    fullBox('iloc', ilocVersion, Buffer.from([sizes.offset << 4 | sizes.length, sizes.base << 4 | sizes.index]), number(idLength, all.length), ...all.map((item) => location(item, start))),
    fullBox('iinf', 0, number(2, all.length), ...all.map(({ id, type, strings }) => fullBox('infe', infeVersion, number(infeVersion === 3 ? 4 : 2, id), number(2, 0), type, Buffer.from(strings, 'latin1')))),
    box('iprp', box('ipco', ...properties), fullBox('ipma', 0, number(4, 0))),
    ...inIdat.length > 0 ? [box('idat', ...inIdat.map(({ data }) => data))] : [],
    ...inMeta)
  const head = Buffer.concat([ftyp, ...before])
  const start = head.length + meta(0).length + 8
  return Buffer.concat([head, meta(start), box('mdat', ...inMdat.map(({ data }) => data), rest), ...after])
}

export type Track = {
  readonly handler?: string
  /** Behind the other boxes of the track. */
  readonly inTrack?: readonly Buffer[]
  /** Instead of the tables of two samples in one chunk, which are right. */
  readonly tables?: (start: number) => readonly Buffer[]
}

export const samples = [Buffer.from('the first sample'), Buffer.from('and the second')]

export const sampleTables = (start: number): Buffer[] => [
  fullBox('stsz', 0, number(4, 0, samples.length, ...samples.map(({ length }) => length))),
  fullBox('stsc', 0, number(4, 1, 1, samples.length, 1)),
  fullBox('stco', 0, number(4, 1, start)),
]

/** A sequence of one track. `data` is what mdat holds in front of the samples. */
export function sequence ({ handler = 'pict', inTrack = [], tables = sampleTables }: Track, { inMovie = [], data = Buffer.alloc(0) }: { inMovie?: readonly Buffer[], data?: Buffer } = {}): Buffer {
  const moov = (start: number) => box('moov',
    fullBox('mvhd', 0, Buffer.alloc(96)),
    box('trak',
      fullBox('tkhd', 0, Buffer.alloc(80)),
      box('mdia', hdlr(handler), box('minf', fullBox('vmhd', 1, Buffer.alloc(8)), box('stbl', fullBox('stsd', 0, number(4, 0)), ...tables(start)))),
      ...inTrack),
    ...inMovie)
  const start = ftyp.length + moov(0).length + 8 + data.length
  return Buffer.concat([ftyp, moov(start), box('mdat', data, ...samples)])
}
