// Where a database is, for people: never with its password. Opens nothing.
import type { DatabaseAddress } from '../config.ts'
import { nameOf as postgresName } from './postgres/connection.ts'

export const nameOf = (address: DatabaseAddress): string => address.kind === 'sqlite' ? address.file : postgresName(address.url)
