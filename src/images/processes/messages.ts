// What the gateway and its child processes say to each other; the channel keeps Buffers as Buffers.

/** Named jobs, each of one input. They run in a child process; their errors come through with message, code and stack. */
export type JobTable = Record<string, (input: never) => unknown>

export type Task = { readonly name: string, readonly input: unknown }

/** `ready` comes once, when the child can take jobs; then one answer for each task. `rss`: bytes the child holds now. */
export type Message =
  | { readonly kind: 'ready' }
  | { readonly kind: 'result', readonly result: unknown, readonly rss: number }
  | { readonly kind: 'error', readonly message: string, readonly code?: string | undefined, readonly stack?: string | undefined, readonly rss: number }
