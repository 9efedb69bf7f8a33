// Times as the gateway writes them into files.

/** Exactly as toISOString() gives it, of a year of four digits: such times compare as text. */
export function isTime (text: string): boolean {
  const time = new Date(text)
  return text.length === 24 && !Number.isNaN(time.getTime()) && time.toISOString() === text
}
