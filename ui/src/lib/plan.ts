import type { Fields } from "./answer";
import type { Format } from "./format";

/** A row of `list_plan_rows`. */
export interface PlanRow {
  row: number | null;
  id: string | null;
  name: string;
  action: string;
  changes: readonly { field: string; before: string | null; after: string | null }[];
  notes: readonly string[];
}

/** A row with the lines that it shows in the table: they are made once, not each time it comes into view. */
export interface ShownRow extends PlanRow {
  lines: readonly Line[];
}

/** Return a row as the table shows it. */
export function showRow(raw: Partial<PlanRow>): ShownRow {
  const row = readRow(raw);
  return { ...row, lines: linesOf(row) };
}

/** Return a row as the server sends it, with null for what it leaves out. */
export function readRow(raw: Partial<PlanRow>): PlanRow {
  const changes = (raw.changes ?? []).map((change) => ({
    field: change.field,
    before: change.before ?? null,
    after: change.after ?? null,
  }));
  return { row: raw.row ?? null, id: raw.id ?? null, name: raw.name ?? "", action: raw.action ?? "", changes, notes: raw.notes ?? [] };
}

/** Which rows are shown. */
export type Show = "all" | "changes" | "attention";

export type Tone = "neutral" | "info" | "good" | "warning" | "danger";

/** A number of a plan or its result, and what it counts. */
export interface Count {
  key: string;
  value: number;
  label: string;
  tone: Tone;
  /** What exactly it counts. */
  help: string;
}

/** Something to know before applying a plan. */
export interface Remark {
  tone: Tone;
  text: string;
  details: readonly string[];
}

export const PLAN_TOOLS = ["import_contacts", "update_matching_contacts", "add_matching_to_group", "merge_contacts"];

/** Return the tool that a plan belongs to, if the host does not say so: each has an argument that no other has. */
export function guessPlanTool(args: Fields, answer: Fields): string {
  if ("keep_id" in args || "clusters" in args) return "merge_contacts";
  if ("understood_as" in answer || "rows" in answer || "upload" in answer || "path" in args || "content" in args) return "import_contacts";
  if ("new_members" in answer || "already_members" in answer) return "add_matching_to_group";
  return "update_matching_contacts";
}

/** Return the arguments of the call that shows a plan: without those that apply it. */
export function planArguments(args: Fields): Fields {
  const { apply: _apply, plan: _plan, ...rest } = args;
  return rest;
}

/** Return the arguments of the call that applies a plan. A merge has no plan of its own: the call is the same. */
export function applyArguments(tool: string, args: Fields, fingerprint: string): Fields {
  return tool === "merge_contacts" ? args : { ...args, apply: true, plan: fingerprint };
}

type CountRow = [key: string, planned: string, done: string, tone: Tone, help: string];

const COUNTS: Readonly<Record<string, readonly CountRow[]>> = {
  import_contacts: [
    ["new_contacts", "new", "created", "good", "Rows that become new contacts"],
    ["updates", "changed", "changed", "info", "Rows that change a contact"],
    ["unchanged", "unchanged", "unchanged", "neutral", "Rows whose contact exists and stays as it is"],
    ["duplicates", "repeated", "repeated", "neutral", "Rows that repeat an earlier one"],
    ["ambiguous", "unclear", "unclear", "warning", "Rows that match several contacts; they are not imported"],
    ["invalid", "invalid", "invalid", "warning", "Rows that cannot be imported"],
    ["failed", "refused", "refused", "danger", "Rows that the service refused"],
    ["unknown", "unknown", "unknown", "danger", "Rows whose answer was lost; import again to check"],
  ],
  update_matching_contacts: [
    ["updates", "changed", "changed", "info", "Contacts that change"],
    ["restores", "restored", "restored", "info", "Contacts that get their old values back"],
    ["unchanged", "unchanged", "unchanged", "neutral", "Contacts that already have the values"],
    ["changed_since", "changed since", "changed since", "warning", "Contacts that were changed again; they stay as they are"],
    ["deleted", "deleted since", "deleted since", "neutral", "Contacts that were deleted since; they stay as they are"],
    ["erased", "erased since", "erased since", "neutral", "Contacts that were erased since"],
    ["failed", "refused", "refused", "danger", "Contacts that could not be changed"],
    ["unknown", "unknown", "unknown", "danger", "Contacts whose answer was lost; they may be changed"],
  ],
  add_matching_to_group: [
    ["new_members", "added", "added", "good", "Contacts that are added to the group"],
    ["already_members", "in the group", "were in the group", "neutral", "Matching contacts that are already in the group"],
    ["members", "members afterwards", "members", "neutral", "Members of the group afterwards"],
  ],
  merge_contacts: [
    ["merged", "merged", "merged", "good", "Groups of duplicates that were merged"],
    ["not_merged", "not merged", "not merged", "warning", "Groups of duplicates that were not merged, or only in part"],
  ],
};

/** Return the numbers of a plan or of its result. Zeros are left out, except for the first number. */
export function countsOf(tool: string, answer: Fields): Count[] {
  const isDone = answer["applied"] !== false;
  return (COUNTS[tool] ?? []).flatMap(([key, planned, done, tone, help], index) => {
    const value = answer[key];
    if (typeof value !== "number" || (value === 0 && index > 0)) return [];
    return [{ key, value, label: isDone ? done : planned, tone, help }];
  });
}

/** Return how many rows or contacts a plan is about; null if its answer does not say so. */
export function sizeOf(answer: Fields): number | null {
  for (const key of ["rows", "matched", "contacts"]) {
    const value = answer[key];
    if (typeof value === "number") return value;
  }
  return null;
}

/** Return what is shared, lost or to be known before applying a plan; the most serious first. */
export function remarksOf(answer: Fields, format: Format): Remark[] {
  const remarks: Remark[] = [];
  const number = (key: string) => (typeof answer[key] === "number" ? (answer[key] as number) : 0);
  const texts = (key: string) => (Array.isArray(answer[key]) ? (answer[key] as unknown[]).filter(isText) : []);
  const add = (tone: Tone, text: string, details: readonly string[] = []) => void remarks.push({ tone, text, details });
  if (number("overwrites")) add("danger", `${format.count(number("overwrites"), "value")} replaced`, texts("overwritten_contacts"));
  const shared = texts("sharing");
  if (shared.length) add("warning", "Shared numbers or addresses", shared);
  if (number("unreachable")) {
    add("warning", `${format.number(number("unreachable"))} not reachable by SMS`, texts("not_reachable_by_sms"));
  }
  if (number("not_normalized")) add("warning", `${format.count(number("not_normalized"), "number")} not valid`, failures(answer["not_normalized_sample"]));
  if (texts("problems").length) add("warning", "Problems", texts("problems"));
  if (texts("region_change").length) add("warning", "Numbers differ from the last plan", texts("region_change"));
  const group = answer["new_group"] as Fields | undefined;
  if (isText(group?.["name"])) add("info", `New group “${group["name"]}”`);
  if (number("converted")) add("neutral", `${format.count(number("converted"), "number")} converted`, ["They are written with their country code."]);
  if (number("extra_values")) {
    add("neutral", `${format.count(number("extra_values"), "further value")} left out`, ["A contact has room for one number and one e-mail address."]);
  }
  if (texts("unused_columns").length) add("neutral", `${format.count(texts("unused_columns").length, "column")} not used`, texts("unused_columns"));
  if (texts("notices").length) add("neutral", "Notices", texts("notices"));
  if (texts("mapping").length) add("neutral", "Columns", texts("mapping").map(labelTarget));
  if (isText(answer["undo_note"])) add("neutral", "Cannot be undone later", [answer["undo_note"]]);
  return remarks;
}

/** Describe how the plan was understood, in one line. */
export function subtitleOf(answer: Fields, args: Fields): string {
  const source = [args["path"], answer["understood_as"]].filter(isText);
  const region = answer["region"];
  if (!isText(region)) return source.join(" · ");
  const country = region.startsWith("none") ? "no default country for numbers" : `country of numbers: ${region.replace(/, from default_region$/, "")}`;
  return [...source, country].join(" · ");
}

/** Return what happened in a merge as remarks. */
export function mergeRemarks(answer: Fields): Remark[] {
  const list = (key: string) => (Array.isArray(answer[key]) ? (answer[key] as unknown[]).filter(isText) : []);
  const remarks: Remark[] = [];
  if (list("deleted").length) remarks.push({ tone: "neutral", text: `${list("deleted").length} deleted after the merge`, details: [] });
  if (list("not_deleted").length) remarks.push({ tone: "warning", text: "Not deleted", details: list("not_deleted") });
  if (list("groups_joined").length) remarks.push({ tone: "neutral", text: "Groups joined", details: list("groups_joined") });
  return remarks;
}

/** Write a column's field for people: "Organization → company". */
function labelTarget(line: string): string {
  return line.replace(/(?<= → )\w+$/, fieldLabel);
}

function failures(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((each: Fields) => (isText(each["why"]) ? [each["why"]] : []));
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** One line of a row: a change, a note, or how many lines are left out. */
export type Line =
  | { kind: "change"; field: string; before: string | null; after: string | null }
  | { kind: "values"; values: readonly { field: string; value: string }[] }
  | { kind: "note"; text: string }
  | { kind: "more"; count: number };

const MAX_LINES = 4;

/** Return the lines that a row shows in the table. New values of a new contact share one line. */
export function linesOf(row: PlanRow): Line[] {
  const lines: Line[] = [];
  if (row.action === "create") {
    const values = row.changes.flatMap(({ field, after }) => (after === null || field === "name" ? [] : [{ field, value: after }]));
    if (values.length) lines.push({ kind: "values", values });
  } else {
    lines.push(...row.changes.map((change) => ({ kind: "change" as const, ...change })));
  }
  lines.push(...row.notes.map((text) => ({ kind: "note" as const, text })));
  if (lines.length <= MAX_LINES) return lines;
  return [...lines.slice(0, MAX_LINES - 1), { kind: "more", count: lines.length - MAX_LINES + 1 }];
}

/** Pixels of one line and of the space around the lines of a row; the style sheet has the same. */
export const LINE_HEIGHT_PX = 20;
export const ROW_PADDING_PX = 14;

/** Return the height of a row in pixels. */
export function heightOf(row: ShownRow): number {
  return Math.max(1, row.lines.length) * LINE_HEIGHT_PX + ROW_PADDING_PX;
}

const ACTIONS: Readonly<Record<string, { text: string; tone: Tone }>> = {
  add: { text: "Add", tone: "good" },
  ambiguous: { text: "Unclear", tone: "warning" },
  create: { text: "New", tone: "good" },
  delete: { text: "Delete", tone: "danger" },
  duplicate: { text: "Repeated", tone: "neutral" },
  invalid: { text: "Invalid", tone: "warning" },
  merge: { text: "Keep", tone: "info" },
  unchanged: { text: "Unchanged", tone: "neutral" },
  update: { text: "Change", tone: "info" },
};

/** Return the word for what is done with a row. */
export function actionOf(action: string): { text: string; tone: Tone } {
  return ACTIONS[action] ?? { text: action, tone: "neutral" };
}

/** Return a field's name for people. */
export function fieldLabel(field: string): string {
  return FIELD_LABELS[field] ?? field.replaceAll("_", " ");
}

const FIELD_LABELS: Readonly<Record<string, string>> = {
  company_name: "company",
  email: "e-mail",
  phone_number: "phone",
};

/** Describe a result for the model: "3 created, 2 changed". */
export function summarizeCounts(tool: string, answer: Fields): string {
  return countsOf(tool, { ...answer, applied: true })
    .filter((count) => count.value > 0)
    .map((count) => `${count.value} ${count.label}`)
    .join(", ");
}
