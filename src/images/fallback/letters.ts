// Which letters can stand for a name. How they look is not decided here.

/** Of a name of any length, in UTF-16 code units: more is not looked at. */
const maxLength = 256

/** Not the modifier letters (an okina), nor the Thai and Lao vowels that are written before the consonant they follow. */
const letter = /(?!\p{Lm}|\p{Logical_Order_Exception})\p{L}/u
const digit = /\p{Nd}/u

/** The first letter of each word, as a capital; the digits of a name without letters; in the order of speech. May be empty. */
export function lettersOf (name: string): string[] {
  // In their compatibility form, styled letters are plain ones. Marks that a letter cannot take in are left behind.
  const text = name.slice(0, maxLength).normalize('NFKC')
  const kind = letter.test(text) ? letter : digit
  return text.split(/[\s\p{Pd}._]+/u).flatMap((word) => capitals(kind.exec(word)?.[0] ?? '').slice(0, 1))
}

/** In no locale, so that a picture does not depend on the machine. A sharp s becomes two. */
const capitals = (letter: string): string[] => [...letter.toUpperCase()]
