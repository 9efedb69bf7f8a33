// The secret of a gateway that was given none to sign tokens with.
import { randomBytes } from 'node:crypto'
import { secretFile } from './secret-file.ts'

const whole = /^\S{43,}\n$/

/**
 * The secret in `file`, created when absent: 48 random bytes in base64url.
 * @throws ConfigError when the file cannot be used.
 */
export const generatedSecret = (file: string): Promise<string> => secretFile({
  file,
  make: () => randomBytes(48).toString('base64url'),
  isWhole: (text) => whole.test(text),
  purpose: 'The secret that tokens are signed with',
  advice: ', or set JWT_SECRET',
})
