/** Why an expression was refused, and where in its text: `start` and `end` count UTF-16 code units from 0. */
export type ExpressionFault = {
  readonly message: string;
  readonly start: number;
  readonly end: number;
  /** What was probably meant. */
  readonly suggestion?: string;
};

/** Ends reading or checking at the first fault. Caught where it began, never by a caller. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  readonly fault: ExpressionFault;
  constructor(fault: ExpressionFault) {
    super(fault.message);
    this.fault = fault;
  }
}

type Span = { readonly start: number; readonly end: number };

export function failAt({ start, end }: Span, message: string, suggestion?: string): never {
  throw new ExpressionError({ message, start, end, ...(suggestion === undefined ? {} : { suggestion }) });
}
