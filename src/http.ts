// Node's HTTP. An import of its module would load undici as well, for names that nobody asks for: 11 MiB, and a fiftieth of the start.
import process from 'node:process'

export const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http')
