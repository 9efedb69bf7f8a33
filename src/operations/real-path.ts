// Where a path leads, behind its links: two names of one place are the same then.
import { realpathSync } from 'node:fs'

/** The path itself where nothing is yet. */
export function realPath (path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
