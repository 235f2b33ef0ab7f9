import { describe, expect, test } from "vitest";
import { RowHeights, rangeInView } from "./row-heights";

describe("RowHeights", () => {
  test("rows have the estimated height until theirs is known", () => {
    const heights = new RowHeights(3, 10);
    expect(heights.total).toBe(30);
    expect(heights.set(1, 25)).toBe(true);
    expect(heights.set(1, 25)).toBe(false);
    expect([heights.offsetOf(1), heights.offsetOf(2), heights.total]).toEqual([10, 35, 45]);
  });

  test("a height that changes after it was read moves only the rows after it", () => {
    const heights = new RowHeights(1000, 10);
    void heights.total;
    heights.set(500, 60);
    expect([heights.offsetOf(500), heights.offsetOf(501), heights.total]).toEqual([5000, 5060, 10_050]);
  });

  test.each([
    [0, 0],
    [9, 0],
    [10, 1],
    [34, 1],
    [35, 2],
    [-5, 0],
    [1e9, 2],
  ])("the row at %d is %d", (offset, expected) => {
    const heights = new RowHeights(3, 10);
    heights.set(1, 25);
    expect(heights.indexAt(offset)).toBe(expected);
  });

  test("an empty list has no height", () => {
    const heights = new RowHeights(0, 10);
    expect([heights.total, heights.indexAt(50)]).toEqual([0, 0]);
  });
});

describe("rangeInView", () => {
  const heights = new RowHeights(10_000, 36);

  test("only the rows in view and some around them are rendered", () => {
    const { first, end } = rangeInView(heights, 180_000, 360);
    expect(first).toBeLessThanOrEqual(4990);
    expect(end).toBeGreaterThanOrEqual(5010);
    expect(end - first).toBeLessThan(50);
  });

  test("it stays within the list", () => {
    expect(rangeInView(heights, 0, 360).first).toBe(0);
    expect(rangeInView(heights, 1e9, 360).end).toBe(10_000);
  });

  test("a small scroll keeps the range", () => {
    expect(rangeInView(heights, 180_036, 300)).toEqual(rangeInView(heights, 180_040, 300));
  });
});
