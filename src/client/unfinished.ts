// Where uploads that are not finished are continued: remembered in what outlives a page, by what tells files apart without reading them.

/** As localStorage has it; what answers later, such as AsyncStorage of React Native, will do too. */
export type UploadStorage = {
  getItem: (key: string) => string | null | Promise<string | null>
  setItem: (key: string, value: string) => void | Promise<void>
}

export type Unfinished = {
  get: (fingerprint: string) => Promise<string | undefined>
  set: (fingerprint: string, address: string) => Promise<void>
  remove: (fingerprint: string) => Promise<void>
}

type Entry = { readonly address: string, readonly at: number }

/** All under one key, so that what nobody comes back to does not stay for ever. */
const key = 'upload-gateway'
const keptMs = 7 * 86_400_000

export function createUnfinished (storage: UploadStorage | undefined, now = Date.now): Unfinished {
  let queue: Promise<unknown> = Promise.resolve()

  /** One after the other, as two uploads of a page would overwrite each other's. A storage that fails, full or forbidden, costs only the memory. */
  function change (edit: (entries: Map<string, Entry>) => void): Promise<void> {
    const done = queue.then(async () => {
      const entries = await read()
      edit(entries)
      await storage?.setItem(key, JSON.stringify([...entries]))
    }).catch(() => {})
    queue = done
    return done
  }

  async function read (): Promise<Map<string, Entry>> {
    const entries = new Map(JSON.parse(await storage?.getItem(key) ?? '[]') as Array<[string, Entry]>)
    for (const [fingerprint, { at }] of entries) if (at < now() - keptMs) entries.delete(fingerprint)
    return entries
  }

  return {
    async get (fingerprint) {
      await queue
      return (await read().catch(() => undefined))?.get(fingerprint)?.address
    },
    set: (fingerprint, address) => change((entries) => { entries.set(fingerprint, { address, at: now() }) }),
    remove: (fingerprint) => change((entries) => { entries.delete(fingerprint) }),
  }
}

/** The page's own, in browsers that allow it. Node has one too, which no program expects to be written to. */
export function usualStorage (): UploadStorage | undefined {
  if (!('document' in globalThis)) return undefined
  try {
    return (globalThis as { localStorage?: UploadStorage }).localStorage
  } catch {
    return undefined
  }
}

/**
 * What is to be said of a file that is taken for the same: to go on with other bytes would mix two files. With the program's key it is
 * what the gateway compares under that key. Without one, nothing for a file that has no time of change, such as a piece of memory.
 */
export function fingerprintOf (file: Blob, said: Readonly<Record<string, string>>, baseUrl: string, key?: string): string | undefined {
  const { name, lastModified } = file as Partial<File>
  if (key !== undefined) return JSON.stringify([baseUrl, key, file.size, file.type, said])
  return lastModified === undefined ? undefined : JSON.stringify([baseUrl, name, file.size, file.type, lastModified, said])
}
