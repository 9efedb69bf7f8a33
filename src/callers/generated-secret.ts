// The secret of a gateway that was given none to sign with.
import { randomBytes } from 'node:crypto'
import type { SecretName, Secrets } from '../secrets.ts'

const whole = /^\S{43,}\n$/

/**
 * The secret of that name, made when there is none: 48 random bytes in base64url. `signed`: what is signed with it, and `setting`: what
 * would have given one, for what is said when it cannot be kept.
 * @throws ConfigError when it cannot be kept
 */
export const generatedSecret = (secrets: Pick<Secrets, 'get'>, { name, signed, setting }: { name: SecretName, signed: string, setting: string }): Promise<string> => secrets.get({
  name,
  make: () => randomBytes(48).toString('base64url'),
  isWhole: (text) => whole.test(text),
  purpose: `The secret that ${signed} are signed with`,
  advice: `, or set ${setting}`,
})
