// Embedded accounts, which no sidecar has: brought over from the database that a rebuild replaces, each that can be believed.
import type { Prisma } from '../generated/prisma/client.ts'
import { isUserId } from '../user-id.ts'
import type { PrismaClient } from './database.ts'
import { isTaken, querying } from './failures.ts'
import { isCount, isText, openOld, reasonOf, rowsAfter, timeIn, using, type OldRow } from './old-database.ts'

type Account = Prisma.AccountCreateManyInput

/** `failure`: why not all came over. No value of a row is in it. */
export async function carryAccounts (file: string, client: PrismaClient): Promise<{ count: number, failure: string | undefined }> {
  let [count, damaged] = [0, 0]
  for (let after = -1; ;) {
    const { rows, failure } = pageAfter(file, after)
    if (failure !== undefined) return { count, failure }
    const last = rows.at(-1)
    if (last === undefined) return { count, failure: damaged === 0 ? undefined : `${damaged} of their rows are damaged` }
    const came = await insert(client, rows.flatMap((row) => accountOf(row) ?? []))
    count += came
    damaged += rows.length - came
    after = last.rowid
  }
}

function pageAfter (file: string, after: number): { rows: ReturnType<typeof rowsAfter>, failure?: string } {
  try {
    return { rows: using(openOld(file), (connection) => rowsAfter(connection, 'Account', after)) }
  } catch (error) {
    return { rows: [], failure: reasonOf(error) }
  }
}

function accountOf ({ id, email, displayName, passwordHash, tokenGeneration, createdAt, updatedAt }: OldRow): Account | undefined {
  const [created, updated] = [timeIn(createdAt), timeIn(updatedAt)]
  if (!isText(id) || !isUserId(id) || !isText(email) || typeof displayName !== 'string' || !isText(passwordHash)) return undefined
  if (!isCount(tokenGeneration) || created === undefined || updated === undefined) return undefined
  return { id, email, displayName, passwordHash, tokenGeneration, createdAt: created, updatedAt: updated }
}

/** One by one where two of them are of the same id or address, as in a database whose index is damaged. Returns how many went in. */
async function insert (client: PrismaClient, accounts: readonly Account[]): Promise<number> {
  try {
    const { count } = await querying(() => client.account.createMany({ data: [...accounts] }))
    return count
  } catch (error) {
    if (!isTaken(error)) throw error
    if (accounts.length === 1) return 0
    let count = 0
    for (const account of accounts) count += await insert(client, [account])
    return count
  }
}
