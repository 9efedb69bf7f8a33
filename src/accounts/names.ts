// E-mail addresses and display names in the one spelling that is kept. Whether an address is valid, the schema says.

/** Two spellings of an address are one account. */
export function normalEmail (text: string): string {
  return text.trim().normalize('NFC').toLowerCase()
}

/** C0, C1, bidi controls, and invisible spaces; not U+200C and U+200D, which Persian and emoji need. */
const unwanted = /[\p{Cc}\p{Cs}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu

const visible = /[\p{L}\p{N}\p{P}\p{S}]/u

/** Undefined when nothing that can be seen remains. */
export function cleanDisplayName (text: string): string | undefined {
  const cleaned = text.normalize('NFC').replace(/\s+/gu, ' ').replace(unwanted, '').trim()
  return visible.test(cleaned) ? cleaned : undefined
}

/** What an account is called that gave no name: the part before the @. */
export function nameFromEmail (email: string): string {
  return email.slice(0, email.lastIndexOf('@')).slice(0, 100)
}
