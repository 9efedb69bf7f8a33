// The rows of embedded accounts: each change is one statement that says what it expects.
import type { Account, PrismaClient } from '../generated/prisma/client.ts'
import { EmailTaken } from '../errors.ts'
import { isTaken, querying } from '../records/failures.ts'
import { forgetful, type RowMemory } from '../records/row-memory.ts'

export type { Account }

export type AccountRecords = ReturnType<typeof createAccountRecords>

/** All throw DatabaseUnavailable, those that write also StorageFull. */
export function createAccountRecords ({ account }: Pick<PrismaClient, 'account'>, memory: RowMemory = forgetful) {
  return {
    /** What its tokens are compared with, out of memory where it is known there. */
    tokens: (id: string): Promise<{ readonly tokenGeneration: number } | null> => memory.get(`tokens of ${id}`, () => querying(() => account.findUnique({ where: { id }, select: { tokenGeneration: true } })), () => [`account ${id}`]),

    basisOf: memory.basisOf,

    byId: (id: string) => querying(() => account.findUnique({ where: { id } })),

    byEmail: (email: string) => querying(() => account.findUnique({ where: { email } })),

    /** @throws EmailTaken; of two at once, one wins. */
    add: (row: Account) => claimingEmail(() => account.create({ data: row })),

    /** Null when the account is gone. @throws EmailTaken */
    async change (id: string, data: { email?: string, displayName?: string, updatedAt: Date }): Promise<Account | null> {
      const [row] = await claimingEmail(() => account.updateManyAndReturn({ where: { id }, data }))
      return row ?? null
    },

    /** Also ends all tokens. False when the account is gone, or its tokens were ended since `generation` was read. */
    async changePassword (id: string, generation: number, passwordHash: string, updatedAt: Date): Promise<boolean> {
      const { count } = await querying(() => account.updateMany({
        where: { id, tokenGeneration: generation },
        data: { passwordHash, tokenGeneration: generation + 1, updatedAt },
      }))
      return count === 1
    },

    /** False when the account is gone. */
    async endTokens (id: string, updatedAt: Date): Promise<boolean> {
      const { count } = await querying(() => account.updateMany({ where: { id }, data: { tokenGeneration: { increment: 1 }, updatedAt } }))
      return count === 1
    },
  }
}

async function claimingEmail<T> (query: () => Promise<T>): Promise<T> {
  try {
    return await querying(query)
  } catch (cause) {
    // Besides the random id, only e-mail addresses are unique.
    throw isTaken(cause) ? new EmailTaken({ cause }) : cause
  }
}
