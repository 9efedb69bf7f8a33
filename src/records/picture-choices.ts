// Whose word on a user's picture is the last: their choices are numbered, in the order of the commits, as a clock may be set back. Which picture that is is not kept here.
import { PictureReplaced } from '../errors.ts'
import type { Prisma } from '../generated/prisma/client.ts'
import type { PrismaClient } from './database.ts'
import { breaks, querying } from './failures.ts'
import type { Owners } from './owners.ts'

export type PictureChoices = ReturnType<typeof createPictureChoices>

/** Its statements stand behind `owners.entering` of some transaction, maybe an earlier one, as without a row of the owner nothing waits; but `now` makes the row. */
export function createPictureChoices ({ client, owners }: { client: PrismaClient, owners: Pick<Owners, 'keyOf'> }) {
  return {
    /** A choice that takes effect with the transaction: no earlier one does afterwards. It waits for all others of this owner, also where it is the first. */
    now: (ownerId: string): Prisma.PrismaPromise<unknown> => client.$executeRaw`
      INSERT INTO "Owner" ("key", "choices", "choice") VALUES (${owners.keyOf(ownerId)}, 1, 1)
      ON CONFLICT ("key") DO UPDATE SET "choices" = "Owner"."choices" + 1, "choice" = "Owner"."choices" + 1`,

    /** A choice that takes effect later, when this upload is finished. */
    later: ({ id, ownerId }: { id: string, ownerId: string }): Prisma.PrismaPromise<unknown>[] => [
      client.$executeRaw`UPDATE "Owner" SET "choices" = "choices" + 1 WHERE "key" = ${owners.keyOf(ownerId)}`,
      client.$executeRaw`UPDATE "Resumable" SET "choice" = (SELECT "choices" FROM "Owner" WHERE "key" = ${owners.keyOf(ownerId)}) WHERE "id" = ${id}`,
    ],

    /** That one takes effect; breaks a constraint, which ends the transaction, when a later one has. */
    made: (ownerId: string, choice: number): Prisma.PrismaPromise<unknown> => client.$executeRaw`
      UPDATE "Owner" SET "choice" = CASE WHEN "choice" <= ${choice} THEN CAST(${choice} AS INTEGER) END WHERE "key" = ${owners.keyOf(ownerId)}`,

    /** Why the transaction failed. @throws PictureReplaced */
    refuse (error: unknown): void {
      if (breaks(error, 'choice')) throw new PictureReplaced()
    },

    /** What is complete, and waits to become the owner's picture, will not. Whether anything was. */
    decline: async (ownerId: string): Promise<boolean> => await querying(() => client.$executeRaw`
      UPDATE "Owner" SET "choices" = "choices" + 1, "choice" = "choices" + 1 WHERE "key" = ${owners.keyOf(ownerId)} AND EXISTS (
        SELECT 1 FROM "Resumable" WHERE "ownerId" = ${ownerId} AND "kind" = 'avatar' AND "state" = 'finishing' AND "Resumable"."choice" > "Owner"."choice"
      )`) > 0,
  }
}
