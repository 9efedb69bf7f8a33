// Makes a token for a service, an admin, or for trying things out. cli.ts is its command line.
import type { Scope, UserId } from '../callers/caller.ts'
import { generatedKeyName, openKeys } from '../callers/keys.ts'
import { createMint } from '../callers/mint.ts'
import { ConfigError, type Config } from '../config.ts'
import { Refusal } from './refusal.ts'
import { withSecrets, type SecretsConfig } from './secrets.ts'

export type TokenRequest = {
  readonly subject: UserId
  readonly scopes: readonly Scope[]
  readonly seconds: number
}

export type MintedToken = { readonly token: string, readonly subject: string, readonly scopes: readonly Scope[], readonly expiresAt: string }

type KeyConfig = SecretsConfig & Pick<Config, 'keys' | 'jwtIssuer' | 'jwtAudience' | 'jwtUserClaim'>

/**
 * Signs with the first configured secret, or with the one that the gateway made: one made here would be none of the gateway's.
 * @throws Refusal when there is none, ConfigError when the gateway only checks tokens of an identity service
 */
export async function mintToken (config: KeyConfig, { subject, scopes, seconds }: TokenRequest, now: () => Date = () => new Date()): Promise<MintedToken> {
  const signingSecret = await signingSecretOf(config)
  if (signingSecret === undefined) throw new ConfigError('This gateway only checks tokens; ask the identity service whose public key or JWKS it is set up with for one.')
  const issuedAt = now()
  const token = await createMint(signingSecret, config, () => issuedAt)(subject, { seconds, scopes })
  return { token, subject, scopes, expiresAt: new Date((Math.floor(issuedAt.getTime() / 1000) + seconds) * 1000).toISOString() }
}

async function signingSecretOf ({ keys, ...config }: KeyConfig): Promise<string | undefined> {
  return withSecrets(config, async (secrets) => {
    if (keys.mode === 'generated' && await secrets.find(generatedKeyName) === undefined) throw new Refusal(`There is no key to make a token with: JWT_SECRET is not set, and there is no ${secrets.placeOf(generatedKeyName)}. Set JWT_SECRET to that of the gateway; or, where it has none, set UPLOADS_DIR and DATABASE_URL to its volume and database, and start it once: it makes the key at its first start.`)
    return (await openKeys({ keys }, secrets)).signingSecret
  })
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

const maxDays = 3650

/** Seconds in a duration such as 30s, 15m, 1h or 7d; undefined when it is none, or over ten years. */
export function parseDuration (text: string): number | undefined {
  const [, amount = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  const seconds = Number(amount) * (unitSeconds[unit] ?? 0)
  return seconds > 0 && seconds <= maxDays * 86_400 ? seconds : undefined
}
