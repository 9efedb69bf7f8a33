// The refusals of RFC 6750 section 3, each with the WWW-Authenticate header that RFC 9110 asks of a 401.
import { CredentialsInvalid, ScopeMissing, TokenInvalid, TokenMissing, withHeaders } from '../errors.ts'

const challenge = (...parameters: string[]) => ({ 'WWW-Authenticate': ['Bearer realm="upload-gateway"', ...parameters].join(', ') })

export function tokenMissing () {
  return withHeaders(new TokenMissing(), challenge())
}

/** The same answer whatever is wrong with the token; `cause` is for the log. */
export function tokenInvalid (cause?: unknown) {
  const headers = challenge('error="invalid_token"', 'error_description="The token is not valid or has expired"')
  return withHeaders(new TokenInvalid({ cause }), headers)
}

export function scopeMissing (scope: string) {
  return withHeaders(new ScopeMissing(scope), challenge('error="insufficient_scope"', `scope="${scope}"`))
}

export function credentialsInvalid () {
  return withHeaders(new CredentialsInvalid(), challenge())
}
