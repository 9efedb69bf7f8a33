// Why a command was not carried out: a sentence that says what to do. Nothing was changed then.

export class Refusal extends Error {
  override name = 'Refusal'
}
