import { describe, expect, test } from "vitest";
import { CallFailed, explainMissingScope, readResult } from "./answer";

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

describe("a call that the login does not allow", () => {
  test("is explained to a person, without the names of tools for a model", () => {
    const line = "unknown_tool: delete_contact does not exist or is switched off here; nothing was changed; available tools: list_contacts";
    expect(() => readResult({ isError: true, content: [{ type: "text", text: line }] })).toThrow(/^Your login does not allow this/);
  });

  test("names the scopes that the server wants", () => {
    const message = "HTTP 403: insufficient_scope: the tool needs contacts:write; sign in again and request contacts:read contacts:write";
    expect(explainMissingScope(message)).toBe("Your login does not allow this: it needs contacts:write. Nothing was changed. Log in again, and allow it.");
    expect(explainMissingScope("timed out")).toBeNull();
  });
});

test("the call of an answer is read from what the server says beside it", () => {
  const call = { tool: "import_contacts", arguments: { group: "SMS" } };
  expect(readResult({ _meta: { "services.wayscloud/call": call } }).call).toEqual(call);
  expect(readResult({ _meta: { "services.wayscloud/call": 3 } }).call).toBeNull();
  expect(readResult({}).call).toBeNull();
});
