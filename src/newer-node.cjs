// Whether this Node.js is too old, and where the newer one is that came as a platform package. Runs on whatever Node.js there is.
const { spawnSync } = require('node:child_process')
const { join } = require('node:path')
const { optionalDependencies } = require('../package.json')

const binary = process.platform === 'win32' ? 'bin/node.exe' : 'bin/node'

const runs = (path) => spawnSync(path, ['--version'], { timeout: 30_000 }).status === 0

module.exports = {
  isTooOld: Number(process.versions.node.split('.')[0]) < 24,

  /** The path of one that runs here; undefined when npm has installed none. It may have put it beside this package. */
  findNewerNode: () => module.paths.flatMap((modules) => Object.keys(optionalDependencies).map((name) => join(modules, name, binary))).find(runs),
}
