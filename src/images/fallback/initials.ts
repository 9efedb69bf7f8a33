// A picture of the initials of a name, as SVG of outlines: it looks the same whatever fonts the machine has.
import { hash } from 'node:crypto'
import type { Glyph } from 'opentype.js/dist/opentype.mjs'
import { glyphOf } from './glyphs.ts'
import { lettersOf } from './letters.ts'

type Initial = { letter: string, glyph: Glyph }

/** White has a contrast of at least 4.5 : 1 to each (WCAG 2.2, 1.4.3). */
const grounds = [
  '#b3261e', '#a8431a', '#8a5200', '#6b6100', '#4c6b13', '#2a7230', '#00734f', '#00716b',
  '#006c8a', '#1565a8', '#3b5bb5', '#5a4fbf', '#7743b5', '#93389f', '#a62e7d', '#b0254f',
] as const

/** In units of the outlines: one em, how high capitals are, and what stands between two letters, lest joined scripts read as a word. */
const em = 1000
const capitalHeight = 714
const gap = 80

/** In hundredths of the picture: no letter is larger, and none leaves a circle cut out of it. */
const largest = { em: 50, radius: 38 }

/**
 * A square SVG of 100 units with one or two letters, of the first and the last word whose letter we can draw; there is nothing of the name in it
 * but their outlines. Its colour is drawn from `seed`. Undefined when no letter can be drawn: CJK, emoji, nothing.
 */
export async function initialsSvg ({ name, seed }: { name: string, seed: string }): Promise<string | undefined> {
  const initials = await initialsOf(name)
  if (initials.length === 0) return undefined
  const { path, centre, radius } = outline(inOrderOfSight(initials))
  const scale = Math.min(largest.em / em, largest.radius / radius)
  const x = (50 - centre.x * scale).toFixed(2)
  const y = (50 - centre.y * scale).toFixed(2)
  return '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100" viewBox="0 0 100 100">' +
    `<path fill="${groundOf(seed)}" d="M0 0h100v100H0z"/>` +
    `<path fill="#fff" transform="translate(${x} ${y}) scale(${scale.toFixed(5)})" d="${path}"/></svg>`
}

async function initialsOf (name: string): Promise<Initial[]> {
  const drawable: Initial[] = []
  for (const letter of lettersOf(name)) {
    const glyph = await glyphOf(letter)
    if (glyph !== undefined) drawable.push({ letter, glyph })
  }
  return drawable.length > 2 ? [...drawable.slice(0, 1), ...drawable.slice(-1)] : drawable
}

/** From left to right. Where the first is of a script that is written from right to left, all of them are (UAX 9, P2 and P3). */
function inOrderOfSight (initials: Initial[]): Initial[] {
  return /[\p{scx=Arabic}\p{scx=Hebrew}]/u.test(initials[0]?.letter ?? '') ? initials.toReversed() : initials
}

function outline (initials: Initial[]) {
  let x = 0
  const paths = initials.map(({ glyph }) => {
    const path = glyph.getPath(x, 0, em)
    x += glyph.advanceWidth + gap
    return path
  })
  const boxes = paths.map((path) => path.getBoundingBox())
  const left = Math.min(...boxes.map(({ x1 }) => x1))
  const right = Math.max(...boxes.map(({ x2 }) => x2))
  const top = Math.min(...boxes.map(({ y1 }) => y1))
  const bottom = Math.max(...boxes.map(({ y2 }) => y2))
  // Capitals stand in the middle whatever their accents and tails; letters of other scripts have no height in common.
  const areCapitals = initials.every(({ letter }) => /\p{Lu}|[0-9]/u.test(letter))
  const centre = { x: (left + right) / 2, y: areCapitals ? -capitalHeight / 2 : (top + bottom) / 2 }
  return {
    path: paths.map((path) => path.toPathData(0)).join(''),
    centre,
    radius: Math.hypot((right - left) / 2, Math.max(bottom - centre.y, centre.y - top)),
  }
}

const groundOf = (seed: string): string => grounds[parseInt(hash('sha256', seed).slice(0, 8), 16) % grounds.length] ?? grounds[0]
