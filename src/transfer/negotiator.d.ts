// What is used here of the library negotiator, which comes without types.
declare module 'negotiator' {
  export class Negotiator {
    constructor (request: { headers: { accept?: string | undefined } })
    /** The media ranges of Accept whose q is over 0, as they are spelt, without parameters. */
    mediaTypes (): string[]
  }
}
