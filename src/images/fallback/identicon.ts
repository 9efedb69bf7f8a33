// A picture of shapes for a seed, as SVG.
import { hash } from 'node:crypto'
import { toSvg } from 'jdenticon/browser'

/** Every shape has a contrast of at least 3 : 1 to the ground (WCAG 2.2, 1.4.11), and none leaves a circle cut out of the picture. */
const look = {
  backColor: '#f2f2f4',
  padding: 0.14,
  lightness: { color: [0.24, 0.35], grayscale: [0.22, 0.42] },
  saturation: { color: 0.55, grayscale: 0 },
}

/** A square SVG of 100 units, always the same for the same seed. */
export const identiconSvg = (seed: string): string => toSvg(hash('sha256', seed), 100, look)
