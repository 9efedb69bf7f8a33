// The secret of a gateway that was given none to sign with.
import { randomBytes } from 'node:crypto'
import { secretFile } from './secret-file.ts'

const whole = /^\S{43,}\n$/

/**
 * The secret in `file`, created when absent: 48 random bytes in base64url. `signed`: what is signed with it, and `setting`: what would
 * have given one, for what is said when it cannot be kept.
 * @throws ConfigError when the file cannot be used.
 */
export const generatedSecret = (file: string, { signed = 'tokens', setting = 'JWT_SECRET' } = {}): Promise<string> => secretFile({
  file,
  make: () => randomBytes(48).toString('base64url'),
  isWhole: (text) => whole.test(text),
  purpose: `The secret that ${signed} are signed with`,
  advice: `, or set ${setting}`,
})
