// Makes tokens, signed with HS256: for embedded accounts, and for the command line.
import { SignJWT } from 'jose'
import type { Config } from '../config.ts'
import type { Scope, UserId } from './caller.ts'
import { generationClaim } from './claims.ts'

export type TokenOptions = {
  readonly seconds: number
  readonly scopes?: readonly Scope[]
  /** tokenGeneration of the account that the token is for. */
  readonly generation?: number
}

export type Mint = (subject: UserId, options: TokenOptions) => Promise<string>

/** Its tokens carry the issuer and audience that this gateway itself asks for. */
export function createMint (secret: string, config: Pick<Config, 'jwtIssuer' | 'jwtAudience' | 'jwtUserClaim'>, now: () => Date = () => new Date()): Mint {
  const key = Buffer.from(secret)
  return async (subject, { seconds, scopes = [], generation }) => {
    const issuedAt = Math.floor(now().getTime() / 1000)
    const claims = {
      ...(scopes.length > 0 && { scope: scopes.join(' ') }),
      ...(generation !== undefined && { [generationClaim]: generation }),
      ...(config.jwtIssuer !== '' && { iss: config.jwtIssuer }),
      ...(config.jwtAudience !== '' && { aud: config.jwtAudience }),
      sub: subject,
      [config.jwtUserClaim]: subject,
      iat: issuedAt,
      exp: issuedAt + seconds,
    }
    return await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).sign(key)
  }
}
