import { describe, expect, test } from "vitest";
import { diffValues, type Piece } from "./diff";

/** Changed pieces in brackets. */
const show = (pieces: Piece[]) => pieces.map((piece) => (piece.changed ? `[${piece.text}]` : piece.text)).join("");

describe("diffValues", () => {
  test.each([
    ["name", "Kari Hansen", "Kari Hanssen", "Kari Hansen", "Kari Hans[s]en"],
    ["email", "ola@example.no", "ola@example.com", "ola@example.[no]", "ola@example.[com]"],
    ["name", "Kari", "Ola", "[Kari]", "[Ola]"],
    ["name", "", "Ola", "", "[Ola]"],
    ["name", "Jose\u0301", "Jose", "Jos[e\u0301]", "Jos[e]"],
    ["phone_number", "+4740000007", "+4791234567", "+47[40000007]", "+47[91234567]"],
    ["tags", "a, b", "b, c", "[a], b", "b, [c]"],
    ["tags", "vip", "", "[vip]", ""],
    ["name", "aa", "aaa", "aa", "aa[a]"],
  ])("%s %j → %j", (field, before, after, old, next) => {
    const diff = diffValues(field, before, after);
    expect([show(diff.before), show(diff.after)]).toEqual([old, next]);
  });

  test("the pieces together are the whole value", () => {
    const diff = diffValues("notes", "one two three", "one 2 three");
    expect(diff.before.map((piece) => piece.text).join("")).toBe("one two three");
    expect(diff.after.map((piece) => piece.text).join("")).toBe("one 2 three");
  });
});
