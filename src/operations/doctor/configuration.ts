// Settings that are valid each by itself, and unwise together or for what is around them.
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { generatedKeyName } from '../../callers/keys.ts'
import type { Config } from '../../config.ts'
import { withSecrets, type SecretsConfig } from '../secrets.ts'
import { checking, ok, problem, reasonOf, unknown, warning, type Check, type Seen } from './check.ts'

type Settings = SecretsConfig & Pick<Config, 'keys' | 'publicUrl' | 'trustProxy' | 'host' | 'erasureLedger' | 'uploadsDir' | 'requireMount' | 'trashRetentionMs' | 'corsOrigins' | 'hasAccounts'>

/** A key that was made at random has more; a sentence or a repeated word has fewer. */
const fewestCharacters = 16

/** `invalid`: why the gateway would not even read its settings. */
export function checkConfiguration (config: Settings, invalid: string | undefined): Promise<Check[]> {
  if (invalid !== undefined) return checking('configuration', [{ name: 'settings', look: () => problem(`The gateway does not start with them: ${invalid}`, 'Correct that setting; .env.example explains each. What follows was looked at with the defaults of all others than UPLOADS_DIR and DATABASE_URL.') }])
  return checking('configuration', [
    { name: 'settings', look: () => ok('All settings are valid.') },
    { name: 'keys', look: () => keys(config) },
    { name: 'PUBLIC_URL', look: () => publicUrl(config) },
    { name: 'TRUST_PROXY', look: () => trustProxy(config) },
    { name: 'CORS_ORIGINS', look: () => config.corsOrigins.includes('*') ? warning('Any web page may call the API from a browser.', 'Name the origins of your own pages.') : ok(config.corsOrigins.length === 0 ? 'No web page of another origin may call the API.' : `${config.corsOrigins.join(', ')} may call the API.`) },
    { name: 'TRASH_RETENTION_DAYS', look: () => config.trashRetentionMs === 0 ? warning('What is deleted or replaced is removed for good at the next clean-up.', 'Set it to a few days, so that a mistake can be undone.') : ok(`What is deleted or replaced can be restored for ${config.trashRetentionMs / 86_400_000} days.`) },
    { name: 'ERASURE_LEDGER', look: () => erasureLedger(config) },
  ])
}

async function keys ({ keys: given, ...config }: Settings): Promise<Seen> {
  switch (given.mode) {
    case 'secret': return secrets(given.secrets)
    case 'generated': return generated(config)
    case 'public-key': return ok('Tokens are checked with the public key of the identity service.')
    case 'jwks': return given.url.startsWith('https:') ? ok(`Tokens are checked with the keys at ${given.url}.`) : warning(`The keys of tokens are fetched from ${given.url} without TLS: who can answer for that address can make tokens.`, 'Use https in JWT_JWKS_URL.')
  }
}

/** The settings here may not be those of the gateway. */
async function generated (config: SecretsConfig): Promise<Seen> {
  return withSecrets(config, async (secrets) => {
    const place = secrets.placeOf(generatedKeyName)
    if (await secrets.find(generatedKeyName) === undefined) return unknown(`JWT_SECRET is not set here, and there is no ${place}: a gateway without that setting makes this key at its first start.`)
    return ok(`The gateway made the key of its tokens itself, and keeps it as ${place}. Other services cannot make tokens for it.`)
  })
}

function secrets (all: readonly string[]): Seen {
  const weak = all.findIndex((secret) => new Set(secret).size < fewestCharacters)
  if (weak >= 0) return warning(`JWT_SECRET number ${weak + 1} has only ${new Set(all[weak]).size} different characters: it looks made up by hand, and who guesses it can make any token.`, 'Make one with "openssl rand -base64 48", put it first, and drop the old one when its tokens have expired.')
  return ok(all.length === 1 ? 'One secret, long and mixed enough.' : `${all.length} secrets: the first signs, all verify. Drop the old ones when their tokens have expired.`)
}

const isLocal = (hostname: string): boolean => /^(localhost|127\.|\[::1\]|0\.0\.0\.0)/.test(hostname)

function publicUrl ({ publicUrl: url, host }: Settings): Seen {
  const { protocol, hostname } = new URL(url)
  if (isLocal(hostname)) return isLocal(host) && host !== '0.0.0.0' ? ok(`${url}: only this machine is served.`) : warning(`It is ${url}, but the gateway listens on ${host}: the absolute URLs it hands out lead nowhere from other machines.`, 'Set PUBLIC_URL to the address that clients use.')
  return protocol === 'https:' ? ok(`Clients use ${url}.`) : warning(`Clients use ${url} without TLS: tokens and files can be read on the way.`, 'Put a proxy with TLS in front, and set PUBLIC_URL to its https address.')
}

function trustProxy ({ trustProxy: trusted, publicUrl: url }: Settings): Seen {
  if (trusted === true) return warning('The gateway believes whatever clients say of their own address.', 'Set TRUST_PROXY to the number of proxies, or to their addresses.')
  if (trusted !== false) return ok('Only the proxies that are named are believed.')
  return isLocal(new URL(url).hostname) ? ok('No proxy is believed.') : warning(`PUBLIC_URL is ${url}, but no proxy is believed: where there is one, all clients share its address in the limits on log-ins.`, 'Behind one proxy set TRUST_PROXY=1; without a proxy leave it as it is.')
}

async function erasureLedger ({ erasureLedger: file, uploadsDir }: Settings): Promise<Seen> {
  if (file === undefined) return warning('The ledger of erasures is on the volume alone: after a restore of an older backup, nothing says who has been erased since.', 'Set it to a file on another disk.')
  const folder = await stat(dirname(file)).catch((error: unknown) => reasonOf(error))
  if (typeof folder === 'string') return problem(`Its folder cannot be used: ${folder} No user can be erased, and the gateway may not start.`, 'Mount the disk, or correct the path.')
  const volume = await stat(uploadsDir).catch(() => undefined)
  return folder.dev === volume?.dev ? warning(`${file} is on the same file system as the volume, and would be lost with it.`, 'Set it to a file on another disk.') : ok(`${file} is on another file system than the volume.`)
}
