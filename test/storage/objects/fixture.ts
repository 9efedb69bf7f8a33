// The file system of an object store in memory, on a temporary folder for what stays on this machine.
import { join } from 'node:path'
import type { Test } from 'tap'
import { fileSystem } from '../../../src/storage/fs.ts'
import { createObjectFileSystem } from '../../../src/storage/objects/file-system.ts'
import { folderFor } from '../fixtures/volume.ts'
import { createMemoryObjects, type Operation } from './memory.ts'

export async function storeFor (t: Test) {
  const root = await folderFor(t)
  const objects = createMemoryObjects()
  const fs = createObjectFileSystem({ objects, root, local: fileSystem, isOwn: (path) => path.startsWith('own/') })
  const calls: string[] = []
  objects.before = (operation: Operation, key: string) => { calls.push(`${operation} ${key}`) }
  return {
    root, objects, fs, calls,
    at: (key: string) => join(root, key),
    put: (key: string, text: string) => objects.spoil(key, Buffer.from(text)),
    text: (key: string) => objects.bytes(key)?.toString(),
    /** What `work` asked of the store. */
    async asked (work: () => Promise<unknown>): Promise<string[]> {
      calls.length = 0
      await work()
      return [...calls]
    },
  }
}
