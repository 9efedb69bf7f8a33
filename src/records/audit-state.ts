// How far the gateways' own audit of the volume is, and what it last found: one value that all gateways of a volume share.
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/schema'
import type { PrismaClient } from './database.ts'
import { isTaken, querying } from './failures.ts'

const key = 'audit'

const AuditStateSchema = Type.Object({
  /** Milliseconds since 1970, as all times here; until then nobody else audits. */
  heldUntil: Type.Number(),
  /** When the last audit came to its end; 0 for never. */
  finishedAt: Type.Number(),
  /** The bytes of files with later ids are read next. */
  cursor: Type.String(),
  /** What of the day's budget was read. */
  dayStartedAt: Type.Number(),
  dayBytes: Type.Number(),
  /** Ids whose bytes were wrong: read each time, until they are right or gone. */
  suspects: Type.Array(Type.String()),
  missing: Type.Number(),
  corrupt: Type.Number(),
  foreign: Type.Number(),
})

export type AuditState = Static<typeof AuditStateSchema>

export const noAudit: AuditState = { heldUntil: 0, finishedAt: 0, cursor: '', dayStartedAt: 0, dayBytes: 0, suspects: [], missing: 0, corrupt: 0, foreign: 0 }

export type AuditRecord = ReturnType<typeof createAuditRecord>

export function createAuditRecord (client: PrismaClient) {
  return {
    /** With the text that `replace` compares. */
    read: (): Promise<{ state: AuditState, text: string | undefined }> => querying(async () => {
      const row = await client.setting.findUnique({ where: { key } })
      return { state: row === null ? noAudit : parse(row.value), text: row?.value }
    }),

    /** False when another process changed it since it was read. Returns the new text otherwise. */
    async replace (before: string | undefined, state: AuditState): Promise<string | false> {
      const value = JSON.stringify(state)
      if (before === undefined) {
        return querying(() => client.setting.create({ data: { key, value } })).then(() => value, (error: unknown) => {
          if (isTaken(error)) return false
          throw error
        })
      }
      const { count } = await querying(() => client.setting.updateMany({ where: { key, value: before }, data: { value } }))
      return count === 1 && value
    },
  }
}

/** What another version wrote is begun anew. */
function parse (text: string): AuditState {
  try {
    const value: unknown = JSON.parse(text)
    return Check(AuditStateSchema, value) ? value : noAudit
  } catch {
    return noAudit
  }
}
