// The name a client gave a file, made fit to show and to save under. Never used in a path of ours.

const maxBytes = 255
const separators = /[/\\]/
/** Controls, lone surrogates, line separators, bidi overrides, zero-width characters: whatever makes a name look like another one. */
const deceptive = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]/gu
/** Long enough for any real one, so that a dot in a sentence is not taken for one. */
const extension = /\.[^.\s]{1,16}$/u
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** The name in NFC, without folders, at most 255 bytes of UTF-8 with its extension kept; undefined when nothing remains. */
export function cleanFilename (raw: string): string | undefined {
  const name = raw.split(separators).at(-1)?.replace(deceptive, '').normalize('NFC').trim() ?? ''
  const short = shorten(name)
  return /^\.*$/.test(short) ? undefined : short
}

function shorten (name: string): string {
  if (Buffer.byteLength(name) <= maxBytes) return name
  const kept = extension.exec(name)?.[0] ?? ''
  const stem = cut(name.slice(0, name.length - kept.length), maxBytes - Buffer.byteLength(kept))
  return stem === '' ? '' : stem + kept
}

/** As many whole characters, as a reader sees them, as fit in `limit` bytes. */
function cut (text: string, limit: number): string {
  let bytes = 0
  let end = 0
  for (const { segment, index } of graphemes.segment(text)) {
    bytes += Buffer.byteLength(segment)
    if (bytes > limit) break
    end = index + segment.length
  }
  return text.slice(0, end).trimEnd()
}
