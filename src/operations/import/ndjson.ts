// The lists that older systems are exported to: a JSON object a line. What is in them is the readers' business.
import { errnoOf } from '../../storage/failures.ts'
import { fileSystem } from '../../storage/fs.ts'
import { NotOrdinary } from '../../storage/ordinary-file.ts'
import { everyLine } from '../backup/text-lines.ts'
import { Refusal } from '../refusal.ts'

export type Line = { readonly number: number, readonly entry: Readonly<Record<string, unknown>> | undefined }

/** Every line that is not empty; `entry` is undefined where it is no JSON object. `option` names it. @throws Refusal when the file cannot be read */
export async function * readLines (path: string, option: string): AsyncGenerator<Line> {
  let number = 0
  try {
    for await (const text of everyLine(fileSystem, path)) {
      number += 1
      const line = text.replace(/^\uFEFF/, '').trim()
      if (line !== '') yield { number, entry: parse(line) }
    }
  } catch (cause) {
    const code = errnoOf(cause) ?? 'failed'
    const fault = cause instanceof NotOrdinary ? 'it is no ordinary file' : faults[code] ?? `it cannot be read (${code})`
    throw new Refusal(`${option} ${path}: ${fault}. Give a file with one JSON object a line.`, { cause })
  }
}

const faults: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'this user may not read it',
}

function parse (line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : undefined
  } catch {
    return undefined
  }
}

/** An id as exports write it: text, a number, or MongoDB's `{"$oid": …}`. */
export function idIn (value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (Number.isSafeInteger(value)) return String(value)
  return typeof value === 'object' && value !== null && '$oid' in value && typeof value.$oid === 'string' ? value.$oid : undefined
}

/** The first of these members that is there. */
export const memberOf = (entry: Readonly<Record<string, unknown>>, ...names: string[]): unknown =>
  names.map((name) => entry[name]).find((value) => value !== undefined && value !== null && value !== '')

/** The same, when it is text. */
export function textOf (entry: Readonly<Record<string, unknown>>, ...names: string[]): string | undefined {
  const value = memberOf(entry, ...names)
  return typeof value === 'string' ? value : undefined
}
