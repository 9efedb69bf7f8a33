// What to tell people of an error: a sentence of ours or of the operating system as it is, of any other as much as holds no values.
import { ConfigError } from '../config.ts'
import { databaseRefusal } from '../records/failures.ts'
import { Refusal } from './refusal.ts'

/** Messages quote what they were given, which may be of users: a line of JSON, an address, a hash. */
const values = /"[^"]*"?|'[^']*'|`[^`]*`|\S+@\S+|[0-9a-f]{16,}/gi

/** Without a full stop of its own. */
export function reasonOf (error: unknown): string {
  if (!(error instanceof Error)) return 'something that is no error was thrown'
  const refusal = databaseRefusal(error)
  if (refusal !== undefined) return refusal.slice(0, -1)
  // What the operating system says names the file, and nothing else.
  if (error instanceof ConfigError || error instanceof Refusal || 'syscall' in error) return error.message
  const [line = ''] = error.message.trim().split('\n')
  return line.replaceAll(values, '…')
}
