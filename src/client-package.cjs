// Makes a package of its own of the client that was compiled: `npm pack ./dist/client` is then all that a page or a service needs.
// Its argument is the folder that the client was compiled to.
const { copyFileSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { version, license, type } = require('../package.json')

const [, , folder] = process.argv
const entry = { types: './client.d.ts', default: './client.js' }

writeFileSync(join(folder, 'package.json'), JSON.stringify({
  name: 'upload-gateway-client',
  version,
  description: 'The typed client of Upload Gateway, for browsers and Node.',
  license,
  type,
  engines: { node: '>=20' },
  exports: { '.': entry, './package.json': './package.json' },
  // For TypeScript that does not know exports (moduleResolution node10).
  types: entry.types,
}, null, 2) + '\n')
copyFileSync(join(__dirname, 'client/README.md'), join(folder, 'README.md'))
copyFileSync(join(__dirname, '../LICENSE'), join(folder, 'LICENSE'))
