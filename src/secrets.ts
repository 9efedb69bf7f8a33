// The secrets that a gateway makes for itself: their names, and what a place for them offers. Where they are kept is not decided here.
import { ConfigError } from './config.ts'

/** What receipts of erasures are signed with, what tokens of embedded accounts are, and what links and media sessions are. */
export const secretNames = ['erasure-signing.jwk', 'jwt.secret', 'link.secret'] as const

export type SecretName = typeof secretNames[number]

/** How one is made, and told from a half of one. */
export type SecretKind = {
  readonly name: SecretName
  /** One line, without its end. */
  readonly make: () => string | Promise<string>
  /** Whether this text, with the line end that says that it was written to the end, is such a secret. */
  readonly isWhole: (text: string) => boolean
  /** The beginning of the sentence that says that it cannot be kept, and, for its end, what to do besides. */
  readonly purpose: string
  readonly advice: string
}

export type Secrets = {
  /** The one that whoever came first has made: the same for all who ask. @throws ConfigError when it cannot be kept, or is not whole */
  get (kind: SecretKind): Promise<string>
  /** As it is, whole or not; undefined when there is none. */
  find (name: SecretName): Promise<string | undefined>
  /** Keeps it, unless there is one already. Returns whether it did. */
  keep (name: SecretName, text: string): Promise<boolean>
  /** For people, as in "there is no …". */
  placeOf (name: SecretName): string
}

/** For who may write nothing: those that are there, and no others. */
export const withoutMaking = (secrets: Secrets): Pick<Secrets, 'get'> => ({
  async get (kind) {
    if (await secrets.find(kind.name) !== undefined) return secrets.get(kind)
    throw new ConfigError(`There is no ${secrets.placeOf(kind.name)} yet, and READ_ONLY=true makes none. Start the gateway once with READ_ONLY=false${kind.advice}.`)
  },
})

/** Copies those that one place has and the other has not. Returns their names. */
export async function copySecrets (from: Secrets, to: Secrets): Promise<SecretName[]> {
  const copied: SecretName[] = []
  for (const name of secretNames) {
    const text = await from.find(name)
    if (text !== undefined && await to.keep(name, text)) copied.push(name)
  }
  return copied
}
