// Entity tags (RFC 9110 section 8.8.3): what ours looks like, and how those of a request are read and compared.

/** A strong tag: it is made of what the bytes are (lower-case hex sha-256) and of nothing else. */
export function etagOf (sha256: string): string {
  return `"${Buffer.from(sha256, 'hex').toString('base64url')}"`
}

const tag = '(?:W/)?"[\\x21\\x23-\\x7e\\x80-\\xff]*"'
const everyTag = new RegExp(tag, 'g')
const tagList = new RegExp(`^[ \\t,]*${tag}(?:[ \\t]*,[ \\t,]*${tag})*[ \\t,]*$`)

/** The members of an If-Match or If-None-Match; a field that is not well-formed names none. */
export function parseTags (field: string): '*' | readonly string[] {
  if (field.trim() === '*') return '*'
  return tagList.test(field) ? field.match(everyTag) ?? [] : []
}

/** RFC 9110 section 8.8.3.2, for an `etag` that is strong: a weak tag never equals it. */
export function matchesStrongly (tags: '*' | readonly string[], etag: string): boolean {
  return tags === '*' || tags.includes(etag)
}

export function matchesWeakly (tags: '*' | readonly string[], etag: string): boolean {
  return tags === '*' || tags.includes(etag) || tags.includes(`W/${etag}`)
}
