// Rows out of the database into a SQLite file and back, for commands: what keeps them is said with what to do. Which rows is not decided here.
import { ConfigError, type DatabaseAddress } from '../config.ts'
import { nameOf } from '../records/address.ts'
import { writeFailure } from '../records/failures.ts'
import { fileIntoDatabase, rowsIntoFile } from '../records/transfer/file.ts'
import { CommitUnknown, NotTransferable } from '../records/transfer/side.ts'
import { isFull } from '../storage/failures.ts'
import { reasonOf } from './reason.ts'
import { Refusal } from './refusal.ts'

/** Into a new file, which a full disk keeps with the error that it is. @throws Refusal, ConfigError */
export const takeRows = (from: DatabaseAddress, file: string, except: readonly string[] = []): Promise<unknown> =>
  saying(`The rows of ${nameOf(from)} cannot be copied`, 'Nothing was changed; mend that and run this again.', () => rowsIntoFile(from, file, except))

/** In place of what is there, with nobody else at it. @throws Refusal, ConfigError */
export const giveRows = (file: string, to: DatabaseAddress): Promise<unknown> =>
  saying(`The rows cannot be copied into ${nameOf(to)}`, 'What was there is there still; mend that and run this again.', () => fileIntoDatabase(file, to))

/** An error as a sentence, unless it says more where it is known which disk is meant. */
async function saying<T> (what: string, afterwards: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ConfigError || writeFailure(error) || isFull(error)) throw error
    if (error instanceof CommitUnknown) throw new Refusal(error.message, { cause: error })
    const reason = error instanceof NotTransferable ? error.message : `${reasonOf(error)}.`
    throw new Refusal(`${what}: ${reason} ${afterwards}`, { cause: error })
  }
}
