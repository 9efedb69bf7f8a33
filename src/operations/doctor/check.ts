// One thing that was looked at, and what to change when it is not right.
import { asGatewayUser, deniedText, isDenied } from '../access.ts'

export type Level = 'ok' | 'warning' | 'problem' | 'unknown'

export type Check = {
  readonly area: string
  readonly name: string
  /** unknown: it could not be looked at here, which says nothing of it. */
  readonly level: Level
  /** A sentence: what was seen. */
  readonly detail: string
  /** A sentence: what to change; null when nothing is to be. */
  readonly change: string | null
}

export type Seen = Omit<Check, 'area' | 'name'>

export const ok = (detail: string): Seen => ({ level: 'ok', detail, change: null })
export const warning = (detail: string, change: string): Seen => ({ level: 'warning', detail, change })
export const problem = (detail: string, change: string): Seen => ({ level: 'problem', detail, change })
export const unknown = (detail: string): Seen => ({ level: 'unknown', detail, change: null })

export type Look = { readonly name: string, readonly look: () => Seen | Promise<Seen> }

/** Each on its own: one that fails is a problem of its own, and keeps none of the others. */
export async function checking (area: string, looks: readonly Look[]): Promise<Check[]> {
  const checks: Check[] = []
  for (const { name, look } of looks) {
    const seen = await Promise.resolve().then(look).catch(failed)
    checks.push({ area, name, ...seen })
  }
  return checks
}

/** What this user may not look at is not wrong in itself. */
function failed (error: unknown): Seen {
  if (error instanceof Error && isDenied(error)) return problem(`${deniedText('path' in error ? String(error.path) : 'It', error)}.`, asGatewayUser)
  return problem(`It could not be looked at: ${reasonOf(error)}`, 'Mend what the sentence says, and run this again.')
}

export const reasonOf = (error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error)
  return message.endsWith('.') ? message : `${message}.`
}
