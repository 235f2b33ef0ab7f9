import { describe, expect, test } from "vitest";
import { CallFailed, readResult } from "./answer";

const text = (value: string) => [{ type: "text", text: value }];

describe("readResult", () => {
  test("structured content is the data", () => {
    expect(readResult({ content: text("ignored"), structuredContent: { total: 1 } }).data).toEqual({ total: 1 });
  });

  test("without structured content the text's JSON is the data", () => {
    expect(readResult({ content: text('{"total":2}') }).data).toEqual({ total: 2 });
  });

  test("an error becomes a sentence with its code", () => {
    const failure = catchFailure(() => readResult({ isError: true, content: text("conflict: the plan no longer fits; nothing was changed") }));
    expect(failure).toMatchObject({ kind: "refused", code: "conflict", message: "The plan no longer fits; nothing was changed." });
  });

  test("an error without text still says something", () => {
    expect(catchFailure(() => readResult({ isError: true })).message).toBe("The server gave no reason.");
  });
});

function catchFailure(run: () => unknown): CallFailed {
  try {
    run();
  } catch (error) {
    if (error instanceof CallFailed) return error;
  }
  throw new Error("expected a CallFailed");
}
