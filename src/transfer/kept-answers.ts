// Answers about stored bytes, made ready once: who asks the same gets the same, for as long as what the answer rests on holds.
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { LRUCache } from 'lru-cache'
import type { Basis } from '../basis.ts'
import { judge, type Validators } from './conditional.ts'
import { requestedRange } from './range.ts'
import type { Representation, Whole } from './representation.ts'
import type { ByteRange } from '../storage/store.ts'

/** Names and values of header fields, one after the other, as Node writes them. */
export type FlatHeaders = readonly string[]

export type KeptAnswer = {
  readonly basis: Basis
  readonly validators: Validators
  /** Bytes. */
  readonly size: number
  /** Of the whole, 200. */
  readonly headers: FlatHeaders
  /** Of 206, but for what tells which part it is. */
  readonly partHeaders: FlatHeaders
  /** Of 304. */
  readonly unchangedHeaders: FlatHeaders
  /** The bytes, where they are few enough to be read at once. */
  readonly whole: Whole | undefined
  readonly part: Representation['part']
  /** For the log and the metrics. */
  readonly route: string
  readonly callerId: string | undefined
}

export type KeptAnswers = ReturnType<typeof createKeptAnswers>

/** Whoever asks decides how many there are, and how long what they are found by. */
const mostBytes = 64 * 1024 ** 2

/** What one costs beside what it is found by: its header fields, and its part of the map. */
const answerBytes = 3072

const addressBytes = 256

/** With one of these, a request is not answered as others are; nor with a body. */
const particular = ['want-repr-digest', 'content-length', 'transfer-encoding', 'expect', 'upgrade'] as const

/** `range`: what of it is asked for. */
export type Found = { readonly answer: KeptAnswer, readonly status: 200 | 206 | 304, readonly range: ByteRange | 'whole' }

/** The fields of a request that its answer depends on, as in RFC 9111 section 4.1. */
type Names = readonly string[]

/** No field has a line break in it: one that is empty is not one that is absent. */
const absent = '\n'

const keyOf = (url: string, headers: IncomingHttpHeaders, names: Names): string =>
  names.length === 0 ? url : names.reduce((key, name) => `${key}\0${name}\0${String(headers[name] ?? absent)}`, url)

export function createKeptAnswers (maxBytes = mostBytes) {
  const addresses = new LRUCache<string, Names>({ maxSize: maxBytes / 4, sizeCalculation: (_names, url) => addressBytes + url.length })
  const answers = new LRUCache<string, KeptAnswer>({ maxSize: maxBytes, sizeCalculation: (_answer, key) => answerBytes + key.length })

  function find ({ url = '', headers }: IncomingMessage): KeptAnswer | undefined {
    const names = addresses.get(url)
    if (names === undefined) return undefined
    const key = keyOf(url, headers, names)
    const answer = answers.get(key)
    if (answer === undefined || answer.basis()) return answer
    answers.delete(key)
    return undefined
  }

  return {
    /** For a GET or HEAD; undefined when nothing is kept for it, and for what is to be refused. */
    find (request: IncomingMessage): Found | undefined {
      const { method, headers } = request
      if (method !== 'GET' && method !== 'HEAD') return undefined
      const answer = find(request)
      if (answer === undefined || particular.some((name) => headers[name] !== undefined)) return undefined
      const { validators, size } = answer
      const outcome = judge(request, validators)
      if (outcome === 'unmodified') return { answer, status: 304, range: 'whole' }
      const range = method === 'HEAD' ? 'whole' : requestedRange(headers, size, validators)
      if (outcome === 'failed' || range === 'unsatisfiable') return undefined
      return { answer, status: range === 'whole' ? 200 : 206, range }
    },

    /** It turned out that it cannot be given. */
    drop ({ url = '', headers }: IncomingMessage): void {
      answers.delete(keyOf(url, headers, addresses.get(url) ?? []))
    },

    /** The answer to `request`, which another with the same address and the same of these fields would get too. */
    keep (request: IncomingMessage, names: Names, make: () => KeptAnswer): void {
      if (find(request) !== undefined) return
      const { url = '', headers } = request
      answers.set(keyOf(url, headers, names), make())
      addresses.set(url, names)
    },
  }
}
