// What an owner has and may have: held to when files are committed, and beforehand as far as it is known. The database itself counts what is kept; who may ask is not decided here.
import { QuotaExceeded } from '../errors.ts'
import { Prisma } from '../generated/prisma/client.ts'
import { eachOwner, type Alongside } from './commits.ts'
import type { PrismaClient } from './database.ts'
import { breaks, querying } from './failures.ts'
import type { Owners } from './owners.ts'
import { throughPrisma, type Ask } from './statements.ts'
import { createUnderWay, type Amount, type GiveBack } from './under-way.ts'

/** Bytes and files that an owner may keep; 0: no limit. */
export type QuotaLimits = { readonly quotaBytes: number, readonly quotaFiles: number }

/** What holds when `callerId` uploads for `ownerId`. */
export type LimitsFor = (callerId: string, ownerId: string) => QuotaLimits

/** Of one upload, or of all files of one request. */
export type QuotaReservation = {
  readonly callerId: string
  readonly ownerId: string
  /** As far as it is known. */
  readonly bytes: number
  readonly files: number
  /** It takes the place of the owner's current avatar, which then is in the trash. */
  readonly isAvatar?: boolean
}

export type Settled = { readonly callerId: string, readonly ownerIds: readonly string[] }

/** `trashBytes`: of what is deleted or replaced. Reserved: for uploads under way in this process, and unfinished resumable ones. */
export type Usage = { readonly bytes: number, readonly files: number, readonly trashBytes: number, readonly reservedBytes: number, readonly reservedFiles: number }

type Counted = Record<keyof Usage, unknown>

export type Quota = ReturnType<typeof createQuota>

type Options = {
  client: PrismaClient
  /** For what an owner has. */
  ask?: Ask
  owners: Pick<Owners, 'keyOf'>
  limitsFor: LimitsFor
  /** What is in the trash beyond it counts as if it were kept, or who deletes what they upload would fill the disk before the next sweep. 0: no limit. */
  trashMaxBytes: number
}

export function createQuota ({ client, ask = throughPrisma(client).ask, owners, limitsFor, trashMaxBytes }: Options) {
  const underWay = createUnderWay()
  const trashLimit = orAny(trashMaxBytes)
  const excessOf = (trashBytes: number): number => Math.max(0, trashBytes - trashLimit)

  /** A whole counts as its parts, which are there until it is; an avatar as no file, and as what it has beyond the one that it replaces, as there is only one. */
  const countedOf = (ownerId: string): Promise<Counted> => querying(async () => (await ask<Counted>(Prisma.sql`
    SELECT "kept".*, "unfinished"."reservedFiles", "unfinished"."bytes" + CASE WHEN "unfinished"."avatarBytes" > "current"."bytes" THEN "unfinished"."avatarBytes" - "current"."bytes" ELSE 0 END AS "reservedBytes"
    FROM (
      SELECT ${sum(Prisma.sql`"bytes"`)} AS "bytes", ${sum(Prisma.sql`"files"`)} AS "files", ${sum(Prisma.sql`"trashBytes"`)} AS "trashBytes" FROM "Usage" WHERE "ownerId" = ${ownerId}
    ) AS "kept" CROSS JOIN (
      SELECT ${sum(Prisma.sql`"Blob"."size"`)} AS "bytes" FROM "Avatar" JOIN "Blob" ON "Blob"."id" = "Avatar"."blobId" WHERE "Avatar"."userId" = ${ownerId}
    ) AS "current" CROSS JOIN (
      SELECT ${sum(Prisma.sql`CASE WHEN "kind" = 'avatar' THEN 0 ELSE "bytes" END`)} AS "bytes", ${sum(Prisma.sql`CASE WHEN "kind" = 'avatar' THEN "bytes" ELSE 0 END`)} AS "avatarBytes",
        ${sum(Prisma.sql`CASE WHEN "kind" = 'attachment' THEN 1 ELSE 0 END`)} AS "reservedFiles"
      FROM (
        SELECT "kind", CASE WHEN "parts" IS NULL THEN COALESCE("length", "offset") ELSE 0 END AS "bytes"
        FROM "Resumable" WHERE "ownerId" = ${ownerId} AND "kind" IN ('attachment', 'avatar', 'part') AND "state" IN ('receiving', 'finishing')
        UNION ALL SELECT "kind", "offset" AS "bytes" FROM "Resumable" WHERE "ownerId" = ${ownerId} AND "kind" = 'part' AND "state" = 'finished'
      ) AS "each"
    ) AS "unfinished"`))[0] as Counted)

  /** With what is held as of now. */
  function toUsage (ownerId: string, row: Counted): Usage {
    const held = underWay.of(ownerId)
    return {
      bytes: Number(row.bytes), files: Number(row.files), trashBytes: Number(row.trashBytes),
      reservedBytes: Number(row.reservedBytes) + held.bytes, reservedFiles: Number(row.reservedFiles) + held.files,
    }
  }

  const usage = async (ownerId: string): Promise<Usage> => toUsage(ownerId, await countedOf(ownerId))

  /** What an avatar takes the place of. */
  async function replacedBy ({ ownerId, isAvatar = false }: QuotaReservation): Promise<{ bytes: number, files: number }> {
    const row = isAvatar ? await querying(() => client.avatar.findUnique({ where: { userId: ownerId }, select: { blob: { select: { size: true } } } })) : null
    return row === null ? { bytes: 0, files: 0 } : { bytes: Number(row.blob.size), files: 1 }
  }

  /** Breaks a constraint that nothing else breaks, which ends the transaction, when the owner has more by now than they may. */
  const holding = (ownerId: string, { quotaBytes, quotaFiles }: QuotaLimits) => Prisma.sql`
    UPDATE "Owner" SET "epoch" = NULL WHERE "key" = ${owners.keyOf(ownerId)} AND EXISTS (
      SELECT 1 FROM "Usage" WHERE "ownerId" = ${ownerId}
      AND ("bytes" + CASE WHEN "trashBytes" > ${trashLimit} THEN "trashBytes" - ${trashLimit} ELSE 0 END > ${orAny(quotaBytes)} OR CAST("files" AS BIGINT) > ${orAny(quotaFiles)})
    )`

  return {
    /**
     * Sets part of the owner's quota aside, before anything of the upload is read, until the function that it returns gives it back. Other
     * processes know nothing of it: `settling` is exact, this is early.
     * @throws QuotaExceeded when there is no room beside what is kept and what else is set aside
     */
    async reserve (reservation: QuotaReservation): Promise<GiveBack> {
      const { callerId, ownerId, bytes, files } = reservation
      const limits = limitsFor(callerId, ownerId)
      if (!isLimited(limits)) return () => {}
      const replaced = await replacedBy(reservation)
      const net = { bytes: bytes - replaced.bytes, files: files === 0 ? 0 : files - replaced.files }
      for (;;) {
        const { result: counted, back } = await underWay.during(ownerId, () => countedOf(ownerId))
        // From here on nothing is waited for: of those who ask at once, each sees what the ones before it hold.
        const has = toUsage(ownerId, counted)
        const excess = excessOf(has.trashBytes + replaced.bytes)
        const fits = ({ bytes, files }: Amount) =>
          has.bytes + has.reservedBytes + excess + net.bytes + bytes <= orAny(limits.quotaBytes) && has.files + has.reservedFiles + net.files + files <= orAny(limits.quotaFiles)
        if (fits(back)) return underWay.hold(ownerId, { bytes: Math.max(0, net.bytes), files: net.files })
        if (!fits(nothing)) throw quotaExceeded(limits, excess)
        // What was given back meanwhile may be counted twice: it is asked again.
      }
    },

    /**
     * Goes into the transaction of an upload, after its rows, behind `owners.entering` of each owner: what the owners have now, as
     * measured, is held against their limits. Refuses with QuotaExceeded; the first that commits wins.
     */
    settling ({ callerId, ownerIds }: Settled): Alongside {
      const limited = eachOwner(ownerIds, (ownerId) => ({ ownerId, limits: limitsFor(callerId, ownerId) })).filter(({ limits }) => isLimited(limits))
      return {
        statements: () => limited.map(({ ownerId, limits }) => holding(ownerId, limits)),
        async refuse (error) {
          const [first] = limited
          if (first === undefined || !breaks(error, 'epoch')) return
          const excess = await usage(first.ownerId).then(({ trashBytes }) => excessOf(trashBytes), () => 0)
          throw quotaExceeded(first.limits, excess)
        },
      }
    },

    /** What the owner has. */
    usage,
  }
}

/** 0 of no rows; PostgreSQL adds up BIGINT to a number that is none of JavaScript's. */
const sum = (of: Prisma.Sql): Prisma.Sql => Prisma.sql`CAST(COALESCE(SUM(${of}), 0) AS BIGINT)`

const nothing: Amount = { bytes: 0, files: 0 }

/** More than any sum of sizes. */
const any = Number.MAX_SAFE_INTEGER

const orAny = (limit: number): number => limit === 0 ? any : limit

const isLimited = ({ quotaBytes, quotaFiles }: QuotaLimits): boolean => quotaBytes > 0 || quotaFiles > 0

function quotaExceeded ({ quotaBytes, quotaFiles }: QuotaLimits, excess: number): Error {
  const limits = [...(quotaBytes > 0 ? [`${quotaBytes} bytes`] : []), ...(quotaFiles > 0 ? [`${quotaFiles} files`] : [])].join(' or ')
  return new QuotaExceeded(excess > 0 && quotaBytes > 0
    ? `the ${limits} that the user may keep, as ${excess} bytes of the trash are over its limit: they count until they are removed for good, which takes some time`
    : `the ${limits} that the user may keep; delete something first`)
}
