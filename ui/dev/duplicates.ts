import { PEOPLE, type Person } from "./data";

type Fields = Record<string, unknown>;
const FIELDS = ["id", "name", "company_name", "phone_number", "email"] as const;

/** Clusters as find_duplicate_contacts and list_duplicates answer them: 23 certain ones, then likely and possible ones. */
export function duplicates(merged: ReadonlySet<string>, limit: number, offset = 0): Fields {
  const all = Array.from({ length: 30 }, (_, index) => cluster(index)).filter(({ contacts }) => !contacts.some(({ id }) => merged.has(String(id))));
  const count = (confidence: string) => all.filter((each) => each.confidence === confidence).length;
  return {
    compared: PEOPLE.length,
    total: all.length,
    certain: count("certain"),
    likely: count("likely"),
    possible: count("possible"),
    clusters: all.slice(offset, offset + limit),
    next: "…",
  };
}

function cluster(index: number) {
  const person = PEOPLE[index * 19 + 2] as Person;
  const [first = "", last = ""] = person.name.split(" ");
  const kept = summary({ phone_number: `+47${41200000 + index * 31}`, email: "post@example.no", ...person }, "a");
  const other = summary({ ...person, name: `${first.charAt(0)}. ${last}`, email: `${first.toLowerCase()}@example.com`, phone_number: String(kept.phone_number).replace("+47", "0047 ") }, "b");
  const third = summary({ ...person, company_name: "Fjord & Fjell Holding AS", phone_number: "+4799887766" }, "c");
  const bare = summary({ ...person, company_name: "", email: "", phone_number: "" }, "d");
  const contacts = index % 6 === 1 ? [kept, other, third] : index % 6 === 3 ? [bare, kept] : index % 11 === 4 ? [kept, other, third, bare, { ...third, id: `${kept.id}e` }] : [kept, other];
  return {
    confidence: index < 23 ? "certain" : index < 27 ? "likely" : "possible",
    evidence: index % 3 ? ["same phone", "similar name"] : ["same e-mail", "same name"],
    differing: ["name", "email"],
    contacts,
    ...(index % 11 === 4 && { more: 2 }),
    ...(index % 5 === 1 && { less_certain: [{ confidence: "possible", evidence: ["part of the name"], contacts: [summary(PEOPLE[index + 40] as Person, "x")] }] }),
  };
}

function summary(person: Person, suffix: string): Fields {
  const given = FIELDS.flatMap((field) => (person[field] ? [[field, person[field]]] : []));
  return { ...Object.fromEntries(given), id: suffix === "a" ? person.id : `${suffix}${person.id.slice(1)}` };
}

/** What merge_contacts answers: of several clusters the last one fails. */
export function merge(args: Fields): Fields {
  const clusters = (args["clusters"] as string[][] | undefined) ?? [[String(args["keep_id"]), ...(args["merge_ids"] as string[])]];
  const results = clusters.map(([keep = "", ...others], index) => {
    const hasFailed = index > 0 && index === clusters.length - 1;
    const name = PEOPLE.find((person) => person.id.slice(1) === keep.slice(1))?.name ?? "Kari Nordmann";
    return {
      contact: { id: keep, name },
      changed: index % 2 ? [] : ["email", "notes"],
      conflicts: [],
      groups_joined: index % 3 ? [] : ["Newsletter"],
      deleted: hasFailed ? [] : others,
      ...(hasFailed && { error: "conflict: the contact has changed meanwhile" }),
    };
  });
  if (!args["clusters"]) return { ...results[0] };
  const merged = results.filter((each) => !each.error).length;
  return { merged, not_merged: results.length - merged, clusters: results };
}
