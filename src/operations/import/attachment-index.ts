// The index of System M's attachments as exported: what is known of a file beside its bytes.
import { Check } from 'typebox/schema'
import { asUserId, type UserId } from '../../callers/caller.ts'
import { ParticularsSchema } from '../../attachments/schema.ts'
import type { RefusalCode, Refused } from './candidate.ts'
import { idIn, memberOf, readLines, textOf, type Line } from './ndjson.ts'
import { dateIn } from './old-date.ts'
import { pathInUrl } from './old-url.ts'
import { shown } from './user-list.ts'

/** What the index says of one file. */
export type Indexed = {
  /** As the index spells it, relative to the folder. */
  readonly path: string
  /** Undefined: the index names none. */
  readonly ownerId: UserId | undefined
  readonly fault?: { readonly code: RefusalCode, readonly reason: string }
  readonly filename: string | undefined
  readonly contentType: string | undefined
  readonly createdAt: Date | undefined
  readonly contextType: string | null
  readonly contextId: string | null
  readonly notes: readonly string[]
}

export type AttachmentIndex = {
  /** Tells of a file that is there; of all of them, before the first is taken. */
  see (path: string): void
  /** The entry of a file, by its path relative to the folder. It is given out once; with a fault where it may be another file's. */
  take (path: string): Indexed | undefined
  /** What nobody took. */
  rest (): Iterable<Indexed>
  /** Reads the list; yields what cannot be used of it. */
  read (file: string): AsyncGenerator<Refused>
}

export function createAttachmentIndex (): AttachmentIndex {
  const entries = new Map<string, Indexed>()
  /** NFC → as spelled: what was copied over macOS has other bytes for the same name. */
  const spellings = new Map<string, string[]>()
  /** Entries whose very file is there. */
  const exact = new Set<string>()
  /** How many files each entry may mean that are not spelled like it. */
  const claims = new Map<string, number>()

  /** Entries that may mean this file as well, though their own may be there. */
  function similar (path: string): string[] {
    const composed = path.normalize('NFC')
    const spelled = entries.has(path) ? [] : [composed, ...spellings.get(composed) ?? []]
    return [...new Set([`uploads/${path}`, ...spelled])].filter((key) => entries.has(key))
  }

  /** An entry is that of the file of its very name; only without such a file it may mean another, and then no two. */
  function keysOf (path: string): { keys: string[], isSure: boolean } {
    const own = entries.get(path)
    const others = similar(path).filter((key) => !exact.has(key) && (own === undefined || entries.get(key)?.ownerId !== own.ownerId))
    const keys = own === undefined ? others : [path, ...others]
    return { keys, isSure: keys.length === 1 && keys.every((key) => exact.has(key) || (claims.get(key) ?? 0) <= 1) }
  }

  return {
    see (path) {
      if (entries.has(path)) exact.add(path)
      for (const key of similar(path)) claims.set(key, (claims.get(key) ?? 0) + 1)
    },
    take (path) {
      const { keys: [key, ...others], isSure } = keysOf(path)
      const entry = key === undefined ? undefined : entries.get(key)
      if (key === undefined || entry === undefined) return undefined
      entries.delete(isSure ? key : path)
      return isSure ? entry : { ...entry, ownerId: undefined, fault: unsure([key, ...others]) }
    },
    rest: () => entries.values(),
    async * read (file) {
      for await (const line of readLines(file, '--index')) {
        const indexed = indexedIn(line)
        if ('code' in indexed) yield indexed
        else if (entries.has(indexed.path)) yield { source: sourceOf(line), code: 'bad-entry', reason: `the index names ${shown(indexed.path)} a second time` }
        else {
          entries.set(indexed.path, indexed)
          const composed = indexed.path.normalize('NFC')
          if (composed !== indexed.path) spellings.set(composed, [...spellings.get(composed) ?? [], indexed.path])
        }
      }
    },
  }
}

const unsure = (keys: readonly string[]): NonNullable<Indexed['fault']> =>
  ({ code: 'bad-entry', reason: `it cannot be told which file the index means by ${keys.map(shown).join(' and by ')}: name each as it is in the folder` })

const sourceOf = ({ number }: Line): string => `system-m:index, line ${number}`

function indexedIn (line: Line): Indexed | Refused {
  const { entry } = line
  if (entry === undefined) return { source: sourceOf(line), code: 'bad-entry', reason: 'the line is no JSON object' }
  const path = pathIn(entry)
  if (path === undefined) return { source: sourceOf(line), code: 'elsewhere', reason: 'the line names no file below /uploads/: it needs "path" or "url"' }
  const owner = memberOf(entry, 'ownerId', 'userId')
  const ownerId = asUserId(idIn(owner))
  const context = contextIn(entry)
  const date = memberOf(entry, 'createdAt')
  const createdAt = dateIn(date)
  return {
    path, ownerId, createdAt, ...context,
    notes: [...context.notes, ...date !== undefined && createdAt === undefined ? [`its date ${shown(date)} is none, and is taken as unknown`] : []],
    ...(owner !== undefined && ownerId === undefined && { fault: { code: 'bad-owner', reason: `${shown(owner)} can be no user's id here: it must be 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me"` } }),
    filename: textOf(entry, 'filename'),
    contentType: textOf(entry, 'contentType'),
  }
}

/** A `path` is a name on the disk, a `url` is percent-encoded. */
function pathIn (entry: Readonly<Record<string, unknown>>): string | undefined {
  const path = textOf(entry, 'path')
  if (path !== undefined) return path.replace(/^(?:\/app)?\/uploads\//, '').replace(/^\.\//, '')
  const url = pathInUrl(textOf(entry, 'url') ?? '')
  return url?.startsWith('/uploads/') === true ? url.slice('/uploads/'.length) : undefined
}

function contextIn (entry: Readonly<Record<string, unknown>>): Pick<Indexed, 'contextType' | 'contextId' | 'notes'> {
  const contextType = idIn(memberOf(entry, 'contextType')) ?? null
  const contextId = idIn(memberOf(entry, 'contextId')) ?? null
  if (Check(ParticularsSchema, { ...(contextType !== null && { contextType }), ...(contextId !== null && { contextId }) })) return { contextType, contextId, notes: [] }
  return { contextType: null, contextId: null, notes: [`its context ${shown([contextType, contextId])} can be none here and is left out`] }
}
