import { describe, expect, test } from "vitest";
import { couldMatch, groupEffect, QUESTION_KEY, readQuestion } from "./question";

const META = {
  [QUESTION_KEY]: {
    tool: "delete_contact",
    arguments: { contact_id: "1" },
    secret: "s",
    expires_in_seconds: 600,
    prompt: { verb: "Delete", label: 'contact "Ola"', effect: ["It leaves 2 groups:", "- Oslo"], yes: "delete" },
  },
};

describe("readQuestion", () => {
  test("a complete question is read, and what it lacks is empty", () => {
    const question = readQuestion(META);
    expect(question).toMatchObject({ tool: "delete_contact", secret: "s", expiresInSeconds: 600 });
    expect(question?.prompt).toMatchObject({ verb: "Delete", phrase: "", choices: { items: [] }, values: {} });
  });

  test.each([undefined, {}, { [QUESTION_KEY]: "text" }, { [QUESTION_KEY]: { tool: "x", prompt: {} } }])(
    "without a secret or a prompt there is no question: %j",
    (meta) => expect(readQuestion(meta)).toBeNull(),
  );
});

describe("couldMatch", () => {
  test.each([
    ["Ola Nordmann", true],
    ["  ola   nordmann ", true],
    ["Øla Nordmann", false],
    ["Ola", false],
    ["", false],
  ])("%j against the phrase Ola Nordmann: %s", (typed, expected) => {
    expect(couldMatch(typed, "Ola Nordmann")).toBe(expected);
  });

  test("accents and composed characters make no difference", () => {
    expect(couldMatch("Jose\u0301", "José")).toBe(true);
  });
});

test("consecutive list lines of an effect become one list", () => {
  expect(groupEffect(["It leaves:", "- Oslo", "- Bergen", "", "Its data is kept."])).toEqual([
    "It leaves:",
    ["Oslo", "Bergen"],
    "Its data is kept.",
  ]);
});
