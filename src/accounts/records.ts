// The rows of embedded accounts: each change is one statement that says what it expects.
import type { Account, PrismaClient } from '../generated/prisma/client.ts'
import { DatabaseUnavailable, EmailTaken } from '../errors.ts'

export type { Account }

export type AccountRecords = ReturnType<typeof createAccountRecords>

/** All throw DatabaseUnavailable. */
export function createAccountRecords ({ account }: Pick<PrismaClient, 'account'>) {
  return {
    byId: (id: string) => asked(account.findUnique({ where: { id } })),

    byEmail: (email: string) => asked(account.findUnique({ where: { email } })),

    /** @throws EmailTaken; of two at once, one wins. */
    add: (row: Account) => asked(account.create({ data: row })),

    /** Null when the account is gone. @throws EmailTaken */
    async change (id: string, data: { email?: string, displayName?: string, updatedAt: Date }): Promise<Account | null> {
      const [row] = await asked(account.updateManyAndReturn({ where: { id }, data }))
      return row ?? null
    },

    /** Also ends all tokens. False when the account is gone, or its tokens were ended since `generation` was read. */
    async changePassword (id: string, generation: number, passwordHash: string, updatedAt: Date): Promise<boolean> {
      const { count } = await asked(account.updateMany({
        where: { id, tokenGeneration: generation },
        data: { passwordHash, tokenGeneration: generation + 1, updatedAt },
      }))
      return count === 1
    },

    /** False when the account is gone. */
    async endTokens (id: string, updatedAt: Date): Promise<boolean> {
      const { count } = await asked(account.updateMany({ where: { id }, data: { tokenGeneration: { increment: 1 }, updatedAt } }))
      return count === 1
    },
  }
}

async function asked<T> (query: Promise<T>): Promise<T> {
  try {
    return await query
  } catch (cause) {
    // P2002: a unique index refused; the only one besides the random id is that of e-mail addresses.
    throw isCoded(cause) && cause.code === 'P2002' ? new EmailTaken({ cause }) : new DatabaseUnavailable({ cause })
  }
}

const isCoded = (error: unknown): error is { code: unknown } => typeof error === 'object' && error !== null && 'code' in error
