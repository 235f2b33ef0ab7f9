/** The heights of many rows, for a list that renders only the rows in view. Heights are pixels. */
export class RowHeights {
  private readonly heights: Float64Array;
  private readonly offsets: Float64Array;
  /** Offsets up to this row are current. */
  private current = 0;

  /** All rows have the estimated height until theirs is set. */
  constructor(
    readonly count: number,
    estimate: number,
  ) {
    this.heights = new Float64Array(count).fill(estimate);
    this.offsets = new Float64Array(count + 1);
  }

  /** Set a row's height. Returns whether it differs from the one before. */
  set(index: number, height: number): boolean {
    if (index < 0 || index >= this.count || this.heights[index] === height) return false;
    this.heights[index] = height;
    this.current = Math.min(this.current, index);
    return true;
  }

  heightOf(index: number): number {
    return this.heights[index] ?? 0;
  }

  /** Where a row begins; the height of all rows for `count`. */
  offsetOf(index: number): number {
    const wanted = Math.max(0, Math.min(index, this.count));
    for (; this.current < wanted; this.current++) {
      this.offsets[this.current + 1] = (this.offsets[this.current] ?? 0) + (this.heights[this.current] ?? 0);
    }
    return this.offsets[wanted] ?? 0;
  }

  get total(): number {
    return this.offsetOf(this.count);
  }

  /** The row at an offset, by bisection; the nearest row if the offset is outside. */
  indexAt(offset: number): number {
    void this.total;
    let low = 0;
    let high = Math.max(0, this.count - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.offsets[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Rows to render: `first` up to but without `end`. */
export interface Range {
  first: number;
  end: number;
}

const OVERSCAN_ROWS = 10;
const STEP_ROWS = 5;

/**
 * Return the rows to render for a scroll position: those in view and some around them.
 *
 * The range moves in steps, so that most scroll events need no rendering.
 */
export function rangeInView(heights: RowHeights, scrollTop: number, viewHeight: number): Range {
  const first = heights.indexAt(scrollTop);
  const last = heights.indexAt(scrollTop + viewHeight);
  const start = Math.floor((first - OVERSCAN_ROWS) / STEP_ROWS) * STEP_ROWS;
  const end = Math.ceil((last + 1 + OVERSCAN_ROWS) / STEP_ROWS) * STEP_ROWS;
  return { first: Math.max(0, start), end: Math.min(heights.count, end) };
}
