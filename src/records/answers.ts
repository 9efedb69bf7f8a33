// What was answered to requests with an Idempotency-Key, for as long as it is answered again. What makes two requests the same is decided elsewhere.
import { setImmediate } from 'node:timers/promises'
import { remembering, type KeyedHash } from '../storage/keyed-hash.ts'
import { Prisma } from '../generated/prisma/client.ts'
import { eachOwner, type Alongside } from './commits.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'
import type { Owners } from './owners.ts'
import { inPrisma, inserting } from './statements.ts'

export const answersKeptMs = 24 * 60 * 60_000

/** Each may be of a megabyte, and a page is looked through in one go by the database. */
const answersPerPage = 25

/** The status, 410 (RFC 9110 section 15.5.11), of an answer that is not given again, as it told of files of a user who was erased since. */
export const goneStatus = 410

const emptied = { status: goneStatus, headers: '{}', body: '', ownerKeys: '' }

export type KeptAnswer = {
  readonly fingerprint: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** JSON as it was sent; empty for none. */
  readonly body: string
}

/** `ownerIds`: whom it tells of; `epoch`: how many erasures there had been when the request began. */
export type NewAnswer = KeptAnswer & { readonly ownerIds: readonly string[], readonly epoch: number }

export type Answers = ReturnType<typeof createAnswers>

export function createAnswers ({ client, owners, hash, now }: { client: PrismaClient, owners: Pick<Owners, 'keyOf' | 'entering' | 'refuseErased'>, hash: KeyedHash, now: () => Date }) {
  const goneBefore = (): Date => new Date(now().getTime() - answersKeptMs)

  async function find (key: string): Promise<KeptAnswer | undefined> {
    const row = await querying(() => client.answer.findFirst({ where: { key, createdAt: { gt: goneBefore() } } }))
    return row === null ? undefined : { ...row, headers: JSON.parse(row.headers) as Record<string, string> }
  }

  /** To be committed with what it tells of. It refuses when the key has an answer already, whosever request that was. */
  const keeping = (key: string, { ownerIds, fingerprint, status, headers, body, epoch }: NewAnswer): Alongside => ({
    statements: () => [
      // One that is too old to be given again, and not swept yet.
      Prisma.sql`DELETE FROM "Answer" WHERE "key" = ${key} AND "createdAt" <= ${goneBefore()}`,
      inserting('Answer', { key, fingerprint, status, headers: JSON.stringify(headers), body, ownerKeys: eachOwner(ownerIds, owners.keyOf).join(','), epoch, createdAt: now() }),
    ],
    async refuse () {
      if (await find(key) !== undefined) throw Object.assign(new Error('this Idempotency-Key has an answer'), { code: 'ALREADY_ANSWERED' })
    },
  })

  return {
    /** Of one caller, whose keys are theirs alone. */
    keyOf: (callerId: string, idempotencyKey: string): string => hash('answer', JSON.stringify([callerId, idempotencyKey])),

    /** `request`: all of it that counts. */
    fingerprintOf: (request: string): string => hash('request', request),

    /** Undefined also when it is older than a day. */
    find,

    keeping,

    /** For what may be done twice: after it is done. @throws ALREADY_ANSWERED, OwnerErased */
    async keep (key: string, answer: NewAnswer): Promise<void> {
      const { statements, refuse } = keeping(key, answer)
      await querying(() => client.$transaction(inPrisma(client, [
        ...eachOwner(answer.ownerIds, (ownerId) => owners.entering(ownerId, answer.epoch)),
        ...statements(),
      ]))).catch(async (error: unknown) => {
        await Promise.all(eachOwner(answer.ownerIds, (ownerId) => owners.refuseErased(ownerId, answer.epoch)))
        await refuse(error)
        throw error
      })
    },

    /** Removes those that are not given any more. Returns how many. */
    sweep: async (): Promise<number> => (await querying(() => client.answer.deleteMany({ where: { createdAt: { lte: goneBefore() } } }))).count,
  }
}

/**
 * Takes an erased user out of the answers to requests from before that epoch: as a reader, or else with all that was answered. That the
 * request had its effect stays known under its key, or sent again it would have another one.
 */
export async function forgetAnswers ({ client, hash: hashed, owner, epoch }: { client: PrismaClient, hash: KeyedHash, owner: string, epoch: number }): Promise<void> {
  const hash = remembering(hashed)
  const older = { epoch: { lt: epoch } }
  for (;;) {
    // What is mended tells of the owner no more.
    const telling = await querying(() => client.answer.findMany({ where: { ...older, ownerKeys: { contains: owner } }, take: answersPerPage }))
    if (telling.length === 0) return
    for (const { key, fingerprint, createdAt, body, ownerKeys } of telling) {
      const left = withoutReader(body, (name) => hash('owner', name) === owner)
      const data = left === undefined ? emptied : { body: left, ownerKeys: ownerKeys.split(',').filter((one) => one !== owner).join(',') }
      await querying(() => client.answer.updateMany({ where: { key, fingerprint, createdAt }, data }))
      await setImmediate()
    }
  }
}

/** The same JSON; undefined when they are no reader in it, or own something of it. */
function withoutReader (body: string, isErased: (name: string) => boolean): string | undefined {
  if (!body.includes('"readers"')) return undefined
  let isReader = false
  let isOwner = false
  const left: unknown = JSON.parse(body, (name, value: unknown) => {
    if (name === 'ownerId') isOwner ||= isErased(String(value))
    if (name !== 'readers' || !Array.isArray(value)) return value
    const others = value.filter((reader) => !isErased(String(reader)))
    isReader ||= others.length < value.length
    return others
  })
  return isReader && !isOwner ? JSON.stringify(left) : undefined
}
