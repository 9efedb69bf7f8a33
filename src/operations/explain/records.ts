// The rows of embedded accounts, as somebody asks who wonders about a user. Changes nothing.
import { asUserId, type UserId } from '../../callers/caller.ts'
import type { PrismaClient } from '../../records/database.ts'
import { querying } from '../../records/failures.ts'

export type KnownAccounts = ReturnType<typeof createKnownAccounts>

export function createKnownAccounts ({ account }: Pick<PrismaClient, 'account'>) {
  return {
    has: async (id: string): Promise<boolean> => await querying(() => account.count({ where: { id } })) > 0,

    /** `email`: in the spelling of normalEmail. */
    async byEmail (email: string): Promise<UserId | undefined> {
      return asUserId((await querying(() => account.findUnique({ where: { email }, select: { id: true } })))?.id)
    },
  }
}
