import type { Fields } from "./answer";

/** A number of `check_group_audience`, and the name of its list in `list_audience`. */
export type PartName = "reachable" | "no_number" | "not_e164" | "invalid" | "landlines" | "duplicates";

export interface Part {
  name: PartName;
  label: string;
  /** What exactly it counts. */
  help: string;
  count: number;
  /** A subset of the reachable members, which has no place of its own in the bar. */
  isSubset: boolean;
}

/** A country (ISO 3166) and its reachable members. */
export interface Country {
  code: string;
  count: number;
}

/** Whom an SMS to a group reaches. */
export interface Audience {
  group: string;
  members: number;
  /** Different numbers of the reachable members. */
  numbers: number;
  /** Requests that an SMS to all of them takes. */
  requests: number;
  parts: readonly Part[];
  countries: readonly Country[];
}

/** A row of `list_audience`. */
export interface AudienceMember {
  id: string;
  name?: string;
  phone_number?: string;
  why?: string;
  same_as?: string;
}

type PartRow = [name: PartName, label: string, help: string, isSubset?: true];

const PARTS: readonly PartRow[] = [
  ["reachable", "Reachable", "Members with a valid number in international form"],
  ["no_number", "No number", "Members without a number"],
  ["not_e164", "Not international", "Members whose number is valid, but not written in international form (E.164)"],
  ["invalid", "Invalid number", "Members whose number is not valid"],
  ["landlines", "Landline", "Reachable members whose number is not a mobile", true],
  ["duplicates", "Repeated number", "Reachable members beyond the first of each number: they get one SMS", true],
];

/** Read the answer of `check_group_audience`. Parts without members are left out, except for the reachable. */
export function readAudience(answer: Fields): Audience {
  const number = (name: string) => (typeof answer[name] === "number" ? (answer[name] as number) : 0);
  const parts = PARTS.map(([name, label, help, isSubset = false]) => ({ name, label, help, count: number(name), isSubset }));
  return {
    group: typeof answer["group"] === "string" ? answer["group"] : "",
    members: number("members"),
    numbers: number("numbers"),
    requests: number("sms_requests"),
    parts: parts.filter((part) => part.count > 0 || part.name === "reachable"),
    countries: readCountries(answer["countries"]),
  };
}

/** Read the countries of `check_group_audience` or `list_audience`, which name the count differently. */
export function readCountries(value: unknown): Country[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((each: Fields) => {
    const count = each["reachable"] ?? each["numbers"];
    return typeof each["country"] === "string" && typeof count === "number" ? [{ code: each["country"], count }] : [];
  });
}

/** Return the arguments that name the group, as the opening call has named it. */
export function groupArguments(args: Fields): Fields {
  for (const name of ["group_id", "group"]) {
    if (typeof args[name] === "string" && args[name]) return { [name]: args[name] };
  }
  return {};
}

/** Return the shares of the bar in percent: in order, zeros left out, each wide enough to be seen. */
export function sharesOf(parts: readonly Part[]): { part: Part; percent: number }[] {
  const shown = parts.filter((part) => !part.isSubset && part.count > 0);
  const total = shown.reduce((sum, part) => sum + part.count, 0);
  const widened = shown.map((part) => ({ part, share: Math.max(part.count / total, MIN_SHARE) }));
  const sum = widened.reduce((all, { share }) => all + share, 0);
  return widened.map(({ part, share }) => ({ part, percent: (share / sum) * 100 }));
}

const MIN_SHARE = 0.012;

/** Say more about a member of a part: of a repeated number who has it first, else the further words of the server. */
export function remarkOf(member: AudienceMember): string {
  const words = (member.why ?? "").split(", ").filter(Boolean);
  return words.map((word) => (word === "duplicate" && member.same_as ? `same as ${member.same_as}` : WORDS[word] ?? word)).join(", ");
}

const WORDS: Readonly<Record<string, string>> = {
  duplicate: "repeated number",
  invalid: "",
  landline: "landline",
  no_number: "",
  not_e164: "",
};
