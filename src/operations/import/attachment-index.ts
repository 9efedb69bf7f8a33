// The index of System M's attachments as exported: what is known of a file beside its bytes.
import { Check } from 'typebox/value'
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
  /** The entry of a file, by its path relative to the folder. It is given out once. */
  take (path: string): Indexed | undefined
  /** What nobody took. */
  rest (): Iterable<Indexed>
  /** Reads the list; yields what cannot be used of it. */
  read (file: string): AsyncGenerator<Refused>
}

export function createAttachmentIndex (): AttachmentIndex {
  const entries = new Map<string, Indexed>()
  /** NFC → as spelled: what was copied over macOS has other bytes for the same name. */
  const spellings = new Map<string, string>()

  function keyOf (path: string): string | undefined {
    const composed = path.normalize('NFC')
    return [path, `uploads/${path}`, composed, spellings.get(composed) ?? ''].find((key) => entries.has(key))
  }

  return {
    take (path) {
      const key = keyOf(path)
      if (key === undefined) return undefined
      const entry = entries.get(key)
      entries.delete(key)
      return entry
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
          if (composed !== indexed.path) spellings.set(composed, indexed.path)
        }
      }
    },
  }
}

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
