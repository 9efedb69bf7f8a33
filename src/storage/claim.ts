// Which database a home belongs to. Two may carry its identity, one being a copy of the other; what only one of them knows the other would take
// for orphans. The first that may change anything there has the home, until a copy that was made of it takes over.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/schema'
import { ConfigError } from '../config.ts'
import { ifAbsent } from './failures.ts'
import { homeName, type FileSystem } from './fs.ts'
import { readOrdinaryText } from './ordinary-file.ts'
import type { Durable } from './volume/durable.ts'
import { claimFile } from './volume/layout.ts'

const ClaimSchema = Type.Object({
  /** The id of the database. */
  database: Type.String(),
  /** For people: where it was when it took the home, without passwords. */
  name: Type.String(),
  /** ISO 8601. */
  since: Type.String(),
  /** The id of a copy that was made of it. It may take over as long as nobody who may change anything came with the original. */
  copy: Type.Optional(Type.String()),
})

export type ClaimText = Static<typeof ClaimSchema>

/** A database as it comes to a home. */
export type Claimant = {
  /** Of the database; undefined when it has none yet. */
  readonly id: string | undefined
  /** For people, without passwords. */
  readonly name: string
  /** Neither the home nor the database is changed: it must belong there, but does not take the home. */
  readonly onlyReads: boolean
}

/** Of one home, or of both homes of a move. */
export type Claim = {
  /** Takes the home for this database, where it may. @throws ConfigError with what to do when it belongs to another one */
  take (claimant: Claimant): Promise<void>
  /** From now on a copy of the database with this id may take over. Durable when it returns. */
  handOver (claimant: Pick<Claimant, 'id' | 'name'>, copy: string): Promise<void>
  /** What the home from which this one is copied says, unless another database than there has this one. */
  follow (there: ClaimText | undefined): Promise<void>
  /** From now on the home is of this database, whichever had it. Durable when it returns. */
  assign (claimant: Pick<Claimant, 'id' | 'name'>): Promise<void>
}

const ifSure = `if you know that this database has all records, remove ${claimFile} there; else make a new one of what is there with "upload-gateway rebuild", which has only those embedded accounts that this one has.`

const ofOldHome = `when no gateway comes there with that database any more, remove ${claimFile} there.`

/** For people: what to do where the home that `setting` named belongs to another database. */
export function claimRemedy ({ setting }: Pick<FileSystem, 'setting'>): string {
  if (setting === '--to') return `It is an old home of this volume, or the copy was begun with an earlier database. Name an empty place with --to; or, ${ofOldHome}`
  if (setting === 'STORAGE_FALLBACK_URL') return `It is an old home of this volume, but not the one that this database comes from. Set STORAGE_FALLBACK_URL to that, or leave it empty when all uploads are in the own home; or, ${ofOldHome}`
  return `Set DATABASE_URL to the one that it belongs to. Where that is lost, ${ifSure}`
}

/** What is there, only read; undefined when the home belongs to no database yet. @throws ConfigError when it is damaged */
export async function claimAt (fs: FileSystem, root: string): Promise<ClaimText | undefined> {
  const text = await readOrdinaryText(fs, join(root, claimFile)).catch(ifAbsent(undefined))
  return text === undefined ? undefined : parse(text, homeName(fs, root))
}

function parse (text: string, name: string): ClaimText {
  try {
    const value: unknown = JSON.parse(text)
    if (Check(ClaimSchema, value)) return value
  } catch {}
  throw new ConfigError(`${claimFile} on ${name} is damaged, so it is not known which database belongs there: ${ifSure}`)
}

/** `claim`, when it is neither of a database with this id, nor lets that take over. */
export const strangerTo = (id: string | undefined, claim: ClaimText | undefined): ClaimText | undefined =>
  id !== undefined && (claim?.database === id || claim?.copy === id) ? undefined : claim

const told = (fs: FileSystem, root: string, { since, name }: ClaimText): string => `${homeName(fs, root)} belongs to another database: since ${since} to ${name}.`

/** For people: to which other database than the one with this id the home belongs. */
export async function strangerAt (fs: FileSystem, root: string, id: string | undefined): Promise<string | undefined> {
  const stranger = strangerTo(id, await claimAt(fs, root))
  return stranger && told(fs, root, stranger)
}

type Options = { readonly fs: FileSystem, readonly durable: Durable, readonly root: string, /** Of this process, for what is not finished. */ readonly staging: { readonly folder: string } }

export function createClaim ({ fs, durable, root, staging }: Options): Claim {
  const path = join(root, claimFile)

  async function write (claim: ClaimText): Promise<void> {
    const fresh = join(staging.folder, randomUUID())
    await durable.writeNew(fresh, JSON.stringify(claim, null, 1) + '\n')
    await fs.rename(fresh, path)
    await durable.syncFolder(root)
  }

  return {
    async take ({ id, name, onlyReads }) {
      const claim = await claimAt(fs, root)
      const stranger = strangerTo(id, claim)
      if (stranger !== undefined) throw new ConfigError(`${told(fs, root, stranger)} What was uploaded since is unknown to ${name}, which takes it for nobody's. ${claimRemedy(fs)}`)
      if (onlyReads || id === undefined) return
      const isOwn = claim?.database === id
      // With the first change the copy is out of date.
      if (!isOwn || claim.copy !== undefined || claim.name !== name) await write({ database: id, name, since: isOwn ? claim.since : new Date().toISOString() })
    },
    async handOver ({ id, name }, copy) {
      const claim = await claimAt(fs, root)
      // Of a home that belongs to none yet, the first that comes takes it.
      if (claim === undefined || id === undefined) return
      await write({ ...claim.database === id ? claim : { database: id, name, since: new Date().toISOString() }, copy })
    },
    async follow (there) {
      if (there === undefined) return
      const claim = await claimAt(fs, root)
      if (claim === undefined || (claim.database === there.database && claim.copy !== there.copy)) await write(there)
    },
    async assign ({ id, name }) {
      if (id !== undefined) await write({ database: id, name, since: new Date().toISOString() })
    },
  }
}

/** As one, of the two homes of a move. */
export function bothClaims (one: Claim, other: Claim): Claim {
  return {
    async take (claimant) { for (const claim of [one, other]) await claim.take(claimant) },
    async handOver (claimant, copy) { for (const claim of [one, other]) await claim.handOver(claimant, copy) },
    async follow (there) { for (const claim of [one, other]) await claim.follow(there) },
    async assign (claimant) { for (const claim of [one, other]) await claim.assign(claimant) },
  }
}
