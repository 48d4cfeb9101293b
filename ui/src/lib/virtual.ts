// Which rows of a long list have to exist: those that can be seen, and a few more on both sides.

export interface Slice {
  first: number;
  /** One after the last. */
  end: number;
  /** Height of what is left out, in pixels. */
  before: number;
  after: number;
}

// Enough that a flick of the wheel meets rows and not an empty table until the next frame.
const SPARE = 8;

export function sliceOf(count: number, row: number, top: number, height: number): Slice {
  const visible = Math.ceil(height / row);
  const first = clamp(Math.floor(top / row) - SPARE, 0, Math.max(0, count - visible));
  const end = clamp(Math.floor(top / row) + visible + SPARE, 0, count);
  return { first, end, before: first * row, after: (count - end) * row };
}

/** Where to scroll so that the row is seen whole; unchanged when it is. */
export function scrolledTo(index: number, row: number, top: number, height: number): number {
  const from = index * row;
  if (from < top) return from;
  return from + row > top + height ? from + row - height : top;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
