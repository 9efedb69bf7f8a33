// Where every operation gets its file system from: that of the home that the settings name.
import type { FileSystem } from '../storage/fs.ts'
import { openHome, type HomeConfig } from '../storage/home.ts'

/** `fs`: as for `openHome`. @throws ConfigError when the home cannot be used */
export async function atHome<T> (config: HomeConfig, fs: FileSystem | undefined, use: (fs: FileSystem) => Promise<T>): Promise<T> {
  const home = await openHome(config, fs)
  try {
    return await use(home.fs)
  } finally {
    await home.close()
  }
}
