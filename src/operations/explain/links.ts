// What is known of a link that somebody has, and of those that stand to an attachment. Opens none, and hands on no token.
import { linkClaimed, type LinkClaim } from '../../attachments/link-tokens.ts'
import { createSigner, linkSecretName, openSigner, type Signer } from '../../callers/signer.ts'
import type { Config } from '../../config.ts'
import type { PrismaClient } from '../../records/database.ts'
import { querying } from '../../records/failures.ts'
import { createLinkRecords } from '../../records/links.ts'
import { Refusal } from '../refusal.ts'
import { withSecrets, type SecretsConfig } from '../secrets.ts'

export type KnownLink = {
  /** `forged`: not signed by the gateway, or not as it was. `unknown`: there is no record of it. */
  readonly is: 'standing' | 'revoked' | 'expired' | 'forged' | 'unknown'
  readonly id: string | null
  readonly attachmentId: string | null
  readonly creatorId: string | null
  readonly expiresAt: string | null
  readonly revokedAt: string | null
}

/** `until`: when the last of them ends. */
export type StandingLinks = { readonly count: number, readonly until: string | null }

/** With the keys of the gateway: one made here would be none of those. @throws Refusal, ConfigError */
export async function linkSigner ({ linkSecrets, ...config }: SecretsConfig & Pick<Config, 'linkSecrets'>): Promise<Signer> {
  if (linkSecrets !== undefined) return createSigner(linkSecrets)
  return withSecrets(config, async (secrets) => {
    if (await secrets.find(linkSecretName) === undefined) throw new Refusal(`LINK_SECRET is not set, and there is no ${secrets.placeOf(linkSecretName)}.`)
    return openSigner({ linkSecrets }, secrets)
  })
}

type Place = { readonly client: PrismaClient | undefined, /** Undefined where it is not to be had. */ readonly signer: Signer | undefined, readonly now: () => Date }

export async function explainLink (token: string, { client, signer, now }: Place): Promise<KnownLink> {
  const claim = signer === undefined ? claimUnproved(token) : linkClaimed(signer, token)
  const row = claim === undefined ? null : await querying(async () => client?.link.findUnique({ where: { id: claim.id } })) ?? null
  // Who makes one up does not know when that of this id ends.
  if (claim === undefined || (row !== null && row.expiresAt.getTime() !== claim.expiresAt.getTime())) return { is: 'forged', id: null, attachmentId: null, creatorId: null, expiresAt: null, revokedAt: null }
  const revokedAt = row?.revokedAt?.toISOString() ?? null
  return {
    is: revokedAt !== null ? 'revoked' : claim.expiresAt <= now() ? 'expired' : row === null ? 'unknown' : 'standing',
    id: claim.id, attachmentId: row?.attachmentId ?? null, creatorId: row?.creatorId ?? null, expiresAt: claim.expiresAt.toISOString(), revokedAt,
  }
}

/** What it says, whoever signed it. */
function claimUnproved (token: string): LinkClaim | undefined {
  try {
    return linkClaimed({ ...createSigner(['']), isSigned: () => true }, token)
  } catch {
    // Made up, and not even with an id in it.
    return undefined
  }
}

export async function standingLinks (client: PrismaClient, attachmentId: string, now: () => Date): Promise<StandingLinks> {
  const rows = await createLinkRecords({ client, now }).of(attachmentId)
  const [last] = rows.map(({ expiresAt }) => expiresAt.toISOString()).sort().reverse()
  return { count: rows.length, until: last ?? null }
}
