// The lists that older systems are exported to: a JSON object a line. What is in them is the readers' business.
import { open } from 'node:fs/promises'
import { Refusal } from '../refusal.ts'

export type Line = { readonly number: number, readonly entry: Readonly<Record<string, unknown>> | undefined }

/** Every line that is not empty; `entry` is undefined where it is no JSON object. @throws Refusal when the file cannot be read */
export async function * readLines (path: string): AsyncGenerator<Line> {
  const handle = await open(path).catch((error: unknown) => {
    throw new Refusal(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}. Give a file with one JSON object a line.`)
  })
  try {
    let number = 0
    for await (const text of handle.readLines()) {
      number += 1
      const line = text.replace(/^\uFEFF/, '').trim()
      if (line !== '') yield { number, entry: parse(line) }
    }
  } finally {
    await handle.close()
  }
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
