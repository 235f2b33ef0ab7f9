import { PEOPLE, type Person } from "./data";

export interface Row {
  row: number | null;
  id: string | null;
  name: string;
  action: string;
  changes: { field: string; before: string | null; after: string | null }[];
  notes: string[];
}

/** The rows of a plan of `count` contacts, always the same. */
export function planRows(tool: string, count: number): Row[] {
  if (tool === "merge_contacts") return mergeRows();
  return Array.from({ length: count }, (_, index) => {
    const person = PEOPLE[index % PEOPLE.length] as Person;
    if (tool === "add_matching_to_group") return row(null, person, index % 6 === 0 ? "unchanged" : "add", [], []);
    if (tool === "update_matching_contacts") {
      const before = person.tags.join(", ") || null;
      return row(null, person, "update", [{ field: "tags", before, after: [...person.tags, "2027"].join(", ") }], []);
    }
    return importRow(index, person);
  });
}

function importRow(index: number, person: Person): Row {
  const at = index + 2;
  switch (index % 12) {
    case 0:
    case 3:
      return row(at, person, "update", [
        { field: "phone_number", before: person.phone_number ?? null, after: "+4791234567" },
        ...(index % 24 === 0 ? [{ field: "company_name", before: person.company_name ?? null, after: "Fjord & Fjell Holding AS" }] : []),
      ], person.phone_number ? ["The number is replaced."] : []);
    case 5:
      return row(at, person, "ambiguous", [], ["Matches 2 contacts: Kari Nordmann, Kari N. Nordmann"]);
    case 7:
      return row(at, person, "invalid", [], ["The number 12345 is not valid, and there is no e-mail address"]);
    case 8:
      return row(at, person, "duplicate", [], ["Repeats row 4"]);
    case 2:
    case 4:
    case 9:
      return row(at, person, "unchanged", [], []);
    default:
      return row(at, { ...person, id: "" }, "create", [
        { field: "phone_number", before: null, after: person.phone_number ?? "+4740000000" },
        { field: "email", before: null, after: person.email ?? "post@example.no" },
        ...(person.company_name ? [{ field: "company_name", before: null, after: person.company_name }] : []),
      ], []);
  }
}

function mergeRows(): Row[] {
  const [keep, drop] = PEOPLE as [Person, Person];
  return [
    row(null, keep, "merge", [
      { field: "email", before: "kari@example.no", after: "kari.nordmann@example.no" },
      { field: "tags", before: "kunde", after: "kunde, vip" },
    ], ["The old address stays in the notes."]),
    row(null, drop, "delete", [], []),
  ];
}

function row(at: number | null, person: Person, action: string, changes: Row["changes"], notes: string[]): Row {
  return { row: at, id: person.id || null, name: person.name, action, changes, notes };
}
