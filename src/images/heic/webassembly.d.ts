// As much of the WebAssembly JavaScript interface as is used here: without the types of a browser, TypeScript knows none of it.

declare namespace WebAssembly {
  type Imports = Readonly<Record<string, unknown>>
  type Exports = Readonly<Record<string, unknown>>

  class Module {
    constructor (bytes: Uint8Array)
  }

  class Instance {
    constructor (module: Module, imports: Imports)
    readonly exports: Exports
  }

  class Memory {
    private constructor ()
    readonly buffer: ArrayBuffer
    /** By pages of 64 KiB. */
    grow: (pages: number) => number
  }
}
