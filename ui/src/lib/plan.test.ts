import { describe, expect, test } from "vitest";
import { formatOf } from "./format";
import {
  applyArguments,
  countsOf,
  guessPlanTool,
  heightOf,
  linesOf,
  showRow,
  planArguments,
  readRow,
  type PlanRow,
  remarksOf,
  summarizeCounts,
} from "./plan";

const IMPORT = { applied: false, rows: 9, new_contacts: 0, updates: 2, unchanged: 0, invalid: 1, overwrites: 3, plan: "f" };
const format = formatOf("en-GB");

function rowOf(changes: Partial<PlanRow>): PlanRow {
  return { row: 2, id: null, name: "Kari", action: "update", changes: [], notes: [], ...changes };
}

const change = (field: string) => ({ field, before: "a", after: "b" });

test("zeros are left out, except for the first number", () => {
  expect(countsOf("import_contacts", IMPORT).map(({ key, value }) => [key, value])).toEqual([
    ["new_contacts", 0],
    ["updates", 2],
    ["invalid", 1],
  ]);
});

test("a result says created where its plan says new", () => {
  expect(countsOf("import_contacts", IMPORT)[0]?.label).toBe("new");
  expect(countsOf("import_contacts", { ...IMPORT, applied: true })[0]?.label).toBe("created");
  expect(summarizeCounts("import_contacts", { ...IMPORT, new_contacts: 4 })).toBe("4 created, 2 changed, 1 invalid");
});

test("a plan that replaces values says so first", () => {
  const remarks = remarksOf({ ...IMPORT, unused_columns: ["Photo"], overwritten_contacts: ["Kari"] }, format);
  expect(remarks.map((remark) => [remark.tone, remark.text])).toEqual([
    ["danger", "3 values replaced"],
    ["neutral", "1 column not used"],
  ]);
  expect(remarks[0]?.details).toEqual(["Kari"]);
});

test("a plan is applied with its own arguments, and its fingerprint", () => {
  const args = planArguments({ path: "a.csv", apply: true, plan: "old" });
  expect(args).toEqual({ path: "a.csv" });
  expect(applyArguments("import_contacts", args, "f")).toEqual({ path: "a.csv", apply: true, plan: "f" });
  expect(applyArguments("merge_contacts", { keep_id: "1" }, "")).toEqual({ keep_id: "1" });
});

test.each([
  [{ keep_id: "1", merge_ids: ["2"] }, {}, "merge_contacts"],
  [{ content: "…" }, {}, "import_contacts"],
  [{ upload: "u" }, { rows: 3 }, "import_contacts"],
  [{ tags: ["a"] }, { new_members: 1 }, "add_matching_to_group"],
  [{ tags: ["a"] }, { matched: 1 }, "update_matching_contacts"],
])("the tool of %j is guessed", (args, answer, expected) => {
  expect(guessPlanTool(args, answer)).toBe(expected);
});

describe("linesOf", () => {
  test("the values of a new contact share a line, without the name", () => {
    const changes = [
      { field: "name", before: null, after: "Kari" },
      { field: "email", before: null, after: "k@example.no" },
    ];
    expect(linesOf(rowOf({ action: "create", changes }))).toEqual([
      { kind: "values", values: [{ field: "email", value: "k@example.no" }] },
    ]);
  });

  test("more than four lines are cut, and the last line counts the rest", () => {
    const lines = linesOf(rowOf({ changes: ["a", "b", "c", "d"].map(change), notes: ["x"] }));
    expect(lines).toHaveLength(4);
    expect(lines.at(-1)).toEqual({ kind: "more", count: 2 });
  });

  test("a row is as high as its lines, and one line at least", () => {
    expect(heightOf(showRow({}))).toBe(34);
    expect(heightOf(showRow({ changes: [change("a"), change("b")] }))).toBe(54);
  });
});

test("what the server leaves out of a row is null", () => {
  const changes = [{ field: "email", after: "a@example.no" }] as unknown as PlanRow["changes"];
  expect(readRow({ name: "Kari", action: "add", changes })).toEqual({
    row: null,
    id: null,
    name: "Kari",
    action: "add",
    changes: [{ field: "email", before: null, after: "a@example.no" }],
    notes: [],
  });
});
