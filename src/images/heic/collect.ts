// Garbage collection on demand: memory of WebAssembly and of Buffers weighs hundreds of megabytes, but to the collector it looks like next to nothing.
import { memoryUsage } from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Less is left to the collector. */
const muchBytes = 64 * 1024 ** 2

/** Some milliseconds; for child processes that do one thing at a time. */
export function collectGarbage (): void {
  if (memoryUsage().external > muchBytes) collect()
}
