// What is the gateway's own though the volume's layout knows nothing of it: database, keys, ledger and old folders, which settings may put anywhere.
import { basename, dirname, join, relative } from 'node:path'
import { secretNames } from '../../secrets.ts'
import type { FileSystem } from '../fs.ts'

/** Whether something on the volume, by its path from the root, is such a file, or a folder that holds one, or below an older system's folder. */
export type IsOwn = (path: string) => boolean

export type OwnPaths = {
  readonly root: string
  readonly databaseFile: string
  /** The second place of the ledger of erasures. */
  readonly erasureLedger: string | undefined
  readonly jwtPublicKeyFile: string | undefined
  /** Of the older systems: all that is in them is theirs. */
  readonly readThroughDirs: readonly string[]
}

/** What SQLite keeps beside a database, and what a rebuild makes there and leaves there. */
const companion = /^(|-wal|-shm|-journal|\.(rebuild|damaged)-.*)$/s

/** Under whatever names lead to them: each path may go through links. */
export async function findOwnFiles (fs: Pick<FileSystem, 'realpath'>, { root, databaseFile, erasureLedger, jwtPublicKeyFile, readThroughDirs }: OwnPaths): Promise<IsOwn> {
  const real = (path: string) => fs.realpath(path).catch(() => path)
  const namesOf = async (path: string) => [path, join(await real(dirname(path)), basename(path)), await real(path)]
  const roots = [root, await real(root)]
  const within = (paths: readonly string[]) => paths.flatMap((path) => roots.map((one) => relative(one, path))).filter((path) => path !== '' && path !== '..' && !path.startsWith('../'))
  const databases = within(await namesOf(databaseFile))
  const named = [...secretNames.map((name) => join(dirname(databaseFile), name)), ...[erasureLedger, jwtPublicKeyFile].filter((path) => path !== undefined)]
  const folders = within((await Promise.all(readThroughDirs.map(namesOf))).flat())
  const others = [...within((await Promise.all(named.map(namesOf))).flat()), ...folders]
  return (path) =>
    others.includes(path) ||
    databases.some((database) => path.startsWith(database) && companion.test(path.slice(database.length))) ||
    folders.some((folder) => path.startsWith(`${folder}/`)) ||
    [...databases, ...others].some((one) => one.startsWith(`${path}/`))
}

export const nothingOwn: IsOwn = () => false
