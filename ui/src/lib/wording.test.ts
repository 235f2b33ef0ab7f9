import { expect, test } from "vitest";
import { headingOf, localizeTime, splitItem, splitLine, splitRecords } from "./wording";

test("values and changes are set apart from the server's words", () => {
  expect(splitLine('company "A" → "B", tag "x"')).toEqual([
    { kind: "text", text: "company " },
    { kind: "old", text: "A" },
    { kind: "text", text: " → " },
    { kind: "new", text: "B" },
    { kind: "text", text: ", tag " },
    { kind: "value", text: "x" },
  ]);
});

test("an empty old value is not struck out", () => {
  expect(splitLine('(empty) → "B"').map((part) => part.kind)).toEqual(["text", "text", "new"]);
});

test("markup in a value stays text", () => {
  expect(splitLine('"<img src=x>"')).toEqual([{ kind: "value", text: "<img src=x>" }]);
});

test("a label is split into its title and what is known of each record", () => {
  expect(splitRecords('person "Ola" (id 1, "Fjord, AS (Oslo)") in group "B" (id 2)')).toEqual({
    title: 'person "Ola" in group "B"',
    records: [
      { name: 'person "Ola"', facts: ["id 1", '"Fjord, AS (Oslo)"'] },
      { name: 'group "B"', facts: ["id 2"] },
    ],
  });
});

test("a list line is split into its record and its changes", () => {
  expect(splitItem('"Ola; x" (id 1): name "A; B" → "C"; tags +"d"')).toEqual({
    name: '"Ola; x"',
    known: "id 1",
    changes: ['name "A; B" → "C"', 'tags +"d"'],
  });
  expect(splitItem("only words: and more")).toBeNull();
});

test("a verb of two words is followed by a colon", () => {
  expect(headingOf("Delete", 'person "A"')).toBe('Delete person "A"');
  expect(headingOf("Erase permanently", 'person "A"')).toBe('Erase permanently: person "A"');
});

test("a time of the server is shown in the viewer's zone and format; a value that looks like one is not touched", () => {
  const dateTime = (iso: string) => `<${iso}>`;
  expect(localizeTime("last changed 2026-11-29 07:12 UTC", dateTime)).toBe("last changed <2026-11-29T07:12Z>");
  expect(localizeTime("last changed 2026-11-29 07:12 CET", dateTime)).toBe("last changed 2026-11-29 07:12 CET");
  expect(localizeTime('"2026-11-29 07:12 UTC"', dateTime)).toBe('"2026-11-29 07:12 UTC"');
});
