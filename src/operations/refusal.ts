// Why a command was not carried out: a sentence that says what to do. Nothing was changed then, unless it says otherwise.

export class Refusal extends Error {
  override name = 'Refusal'
}
