// The outlines of letters: which font has which script, each read when a letter first needs it and then kept.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Font, Glyph } from 'opentype.js/dist/opentype.mjs'
import { unwrap } from './woff.ts'

/** Letters of names, and the files that may have them, the most likely first. What is not here has no outline. */
const scripts: ReadonlyArray<{ letter: RegExp, family: string, subsets: readonly string[] }> = [
  { letter: /\p{scx=Latin}|[0-9]/u, family: 'noto-sans', subsets: ['latin', 'latin-ext', 'vietnamese'] },
  { letter: /\p{scx=Cyrillic}/u, family: 'noto-sans', subsets: ['cyrillic', 'cyrillic-ext'] },
  { letter: /\p{scx=Greek}/u, family: 'noto-sans', subsets: ['greek', 'greek-ext'] },
  { letter: /\p{scx=Devanagari}/u, family: 'noto-sans', subsets: ['devanagari'] },
  { letter: /\p{scx=Arabic}/u, family: 'noto-sans-arabic', subsets: ['arabic'] },
  { letter: /\p{scx=Hebrew}/u, family: 'noto-sans-hebrew', subsets: ['hebrew'] },
  { letter: /\p{scx=Thai}/u, family: 'noto-sans-thai', subsets: ['thai'] },
]

const fonts = new Map<string, Promise<Font>>()

/** The glyph of a letter standing alone, semi-bold, of 1 000 units per em; undefined when none of the fonts has it. */
export async function glyphOf (letter: string): Promise<Glyph | undefined> {
  const script = scripts.find((script) => script.letter.test(letter))
  for (const subset of script?.subsets ?? []) {
    const font = await fontOf(`@fontsource/${script?.family}/files/${script?.family}-${subset}-600-normal.woff`)
    if (font.charToGlyphIndex(letter) > 0) return font.charToGlyph(letter)
  }
  return undefined
}

function fontOf (file: string): Promise<Font> {
  const font = fonts.get(file) ?? read(file)
  fonts.set(file, font)
  return font
}

async function read (file: string): Promise<Font> {
  try {
    // Large, and most gateways never draw a letter.
    const { parse } = await import('opentype.js/dist/opentype.mjs')
    return parse(unwrap(await readFile(fileURLToPath(import.meta.resolve(file)))), { lowMemory: true })
  } catch (error) {
    fonts.delete(file)
    throw error
  }
}
