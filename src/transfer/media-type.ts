// The Content-Type that leaves with stored bytes. What the bytes are was decided when they came in; here it is only made safe to send.

const token = "[A-Za-z0-9!#$%&'*+.^_`|~-]+"
const wellFormed = new RegExp(`^(?<essence>${token}/${token})(?<parameters>(?:[ \\t]*;[ \\t]*${token}=(?:${token}|"[^",\\\\\\x00-\\x1f\\x7f-\\uffff]*"))*)$`)

/** Type and subtype, in lower case, without parameters. */
export function essenceOf (contentType: string): string {
  return contentType.split(';', 1).join('').trim().toLowerCase()
}

/**
 * Parameters that are not well-formed are dropped and a type that is not is octet-stream: browsers take what stands
 * after a comma for the type, so "image/png; x=y, text/html" would be shown as a page. Plain text is UTF-8 unless it says otherwise.
 */
export function servedType (contentType: string): string {
  const type = wellFormed.test(contentType) ? contentType : essenceOf(contentType)
  if (!wellFormed.test(type)) return 'application/octet-stream'
  return essenceOf(type) === 'text/plain' && !/;[ \t]*charset=/i.test(type) ? `${type}; charset=utf-8` : type
}
