// Tells the names that programs give to the items of a picture ("Color", "HEVC Image") from those that people do.

const words = `
  image picture color colour alpha depth mask map gmap gainmap gain tmap sampletransform thumbnail preview grid tile layer frame metadata exif xmp
  primary master cover main auxiliary derived generically compressed hevc avc av1 vvc jpeg l item data`.trim().split(/\s+/)

const name = new RegExp(`^(?:${words.join('|')}|[\\d _-])*$`, 'i')
const maxLength = 64

export function isNameOfProgram (text: string): boolean {
  return text.length <= maxLength && name.test(text)
}
