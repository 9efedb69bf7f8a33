// Errors as the file system of an operating system gives them, for what an object store has no word for.

const sentences = {
  EEXIST: 'file already exists',
  EFBIG: 'file too large',
  EISDIR: 'illegal operation on a directory',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  ENOTSUP: 'operation not supported on an object store',
} as const

export function errno (code: keyof typeof sentences, syscall: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${sentences[code]}, ${syscall} '${path}'`), { code, syscall, path })
}
