// The path in a URL that an older system kept, as the router hands it over: percent-decoded once.

/** Of a URL with any host, or of a path with or without its first slash; undefined when there is none. */
export function pathInUrl (url: string): string | undefined {
  const [, scheme = 'http'] = /^\s*([a-z][a-z0-9+.-]*):/i.exec(url) ?? []
  if (!/^https?$/i.test(scheme) || !URL.canParse(url, 'http://localhost/')) return undefined
  try {
    return decodeURIComponent(new URL(url, 'http://localhost/').pathname)
  } catch {
    return undefined
  }
}
