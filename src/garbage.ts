// What the start has left in memory is given back to the system.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** A fifth of what a process holds then is garbage, and V8 collects none in one that idles. Takes 60 ms, in which nothing else happens. */
export function giveBack (): void {
  setFlagsFromString('--expose-gc')
  const collect: NodeJS.GCFunction = runInNewContext('gc')
  collect({ type: 'major', flavor: 'last-resort', execution: 'sync' })
}
