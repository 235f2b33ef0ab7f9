import { PEOPLE } from "./data";

type Fields = Record<string, unknown>;
const COUNTRIES = [["NO", 1], ["SE", 9], ["DK", 14], ["DE", 31], ["GB", 53]] as const;

const MEMBERS = PEOPLE.map((person, index) => {
  const why = !person.phone_number ? "no_number" : index % 23 === 4 ? "not_e164" : index % 97 === 8 ? "invalid" : "";
  const words = why ? [why] : [...(index % 41 === 1 ? ["landline"] : []), ...(index % 29 === 6 ? ["duplicate"] : [])];
  const number = why === "not_e164" ? String(person.phone_number).slice(3) : why === "invalid" ? "12345" : person.phone_number;
  const [country] = COUNTRIES.findLast(([, each]) => index % each === 0) ?? COUNTRIES[0];
  return {
    country: why ? "" : country,
    member: {
      id: person.id,
      name: person.name,
      ...(number && { phone_number: number }),
      ...(words.length && { why: words.join(", ") }),
      ...(words.includes("duplicate") && { same_as: "Kari Nordmann" }),
    },
  };
});

function membersOf(part: string) {
  if (part === "reachable") return MEMBERS.filter((each) => each.country);
  const word = part.replace(/s$/, "");
  return MEMBERS.filter(({ member }) => member.why?.split(", ").includes(word) || member.why === part);
}

function countries() {
  return COUNTRIES.map(([country]) => ({ country, reachable: MEMBERS.filter((each) => each.country === country).length }));
}

/** The answer of check_group_audience for a group of all contacts. */
export function audience(): Fields {
  const count = (part: string) => membersOf(part).length;
  return {
    group: "Newsletter",
    members: MEMBERS.length,
    reachable: count("reachable"),
    numbers: count("reachable") - count("duplicates"),
    no_number: count("no_number"),
    not_e164: count("not_e164"),
    invalid: count("invalid"),
    landlines: count("landlines"),
    duplicates: count("duplicates"),
    sms_requests: 2,
    countries: countries().map(({ country, reachable }) => ({ country, numbers: reachable })),
    unreachable_sample: [],
    duplicate_sample: [],
  };
}

/** A page of list_audience. */
export function listAudience(args: Fields): Fields {
  const found = membersOf(String(args["part"]));
  const offset = Number(args["offset"] ?? 0);
  const contacts = found.slice(offset, offset + Number(args["limit"])).map(({ member }) => member);
  return { total: found.length, countries: countries(), contacts };
}
