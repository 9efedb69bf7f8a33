// Before the Prisma client is generated: puts the Node.js that came as a platform package where npm scripts look first.
// npm 11 has done so; npm 10 installs the package, but does not link its bin. Runs on whatever Node.js npm itself has.
const { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } = require('node:fs')
const { dirname, join, relative } = require('node:path')
const { findNewerNode } = require('./newer-node.cjs')

const modules = join(__dirname, '../node_modules')
const link = join(modules, '.bin/node')

// Scripts exec Node, so that a signal to npm reaches it; the shell of Windows has no exec.
// Windows needs shims instead of a link to Node as well; there the guard says what is missing.
if (process.platform === 'win32') {
  mkdirSync(dirname(link), { recursive: true })
  writeFileSync(join(modules, '.bin/exec.cmd'), '@%*\r\n')
} else if (!existsSync(link)) {
  const binary = findNewerNode()
  if (binary !== undefined) put(binary)
}

function put (binary) {
  mkdirSync(dirname(link), { recursive: true })
  rmSync(link, { force: true })
  symlinkSync(relative(dirname(link), binary), link)
}
