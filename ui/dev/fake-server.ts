import { audience, listAudience } from "./audience";
import { GROUPS, PEOPLE, type Person } from "./data";
import { duplicates, merge } from "./duplicates";
import { planRows, type Row } from "./plan-rows";
import type { Scene } from "./scenes";

type Fields = Record<string, unknown>;
interface Result {
  content: { type: "text"; text: string }[];
  structuredContent?: Fields;
  isError?: boolean;
  _meta?: Fields;
}

const PLAN_ROWS = 10_000;
const CONSENT = new Set(["delete_contact", "gdpr_delete_contact", "import_contacts", "update_matching_contacts", "merge_contacts"]);
const PLANS = new Set(["import_contacts", "update_matching_contacts", "add_matching_to_group", "merge_contacts"]);

/** Answers as the server does, from contacts in memory. It only plays its part: nothing here checks a secret. */
export class FakeServer {
  private readonly people = structuredClone(PEOPLE);
  private readonly merged = new Set<string>();
  private readonly rows = new Map<string, Row[]>();

  /**
   * @param delay milliseconds before each answer
   * @param failing the name of a tool that fails, or "all"
   */
  constructor(
    private readonly delay: number,
    private readonly failing: string,
  ) {}

  /** The result of the call that opens a scene. */
  async open(scene: Scene): Promise<Result> {
    if (scene.tool === "show_contacts") return answer({ shown: true });
    if (scene.tool === "create_contact") return answer({ ...this.people[0] });
    if (scene.tool === "check_group_audience") return answer(audience());
    if (scene.tool === "find_duplicate_contacts") return this.findDuplicates(scene.arguments);
    if (scene.done) return answer(this.done(scene.tool, scene.arguments));
    if (PLANS.has(scene.tool) && scene.tool !== "merge_contacts") return answer(this.plan(scene.tool));
    return this.ask(scene.tool, scene.arguments, { done: false, reason: "The person decides in the panel." });
  }

  async call(tool: string, args: Fields): Promise<Result> {
    if (this.delay) await new Promise((resolve) => setTimeout(resolve, this.delay));
    if (this.failing === tool || this.failing === "all") return failure("unavailable: the directory does not answer; try again in a minute");
    switch (tool) {
      case "ask_in_panel":
        return this.ask(String(args["tool"]), args["arguments"] as Fields, {});
      case "decide_in_panel":
        return args["agree"] ? answer(this.done(String(args["tool"]), args["arguments"] as Fields)) : answer({ done: false, reason: "kept" });
      case "find_duplicate_contacts":
        return this.findDuplicates(args);
      case "list_duplicates":
        return answer({ ...duplicates(this.merged, Number(args["limit"]), Number(args["offset"])), search: `search ${this.merged.size}` });
      case "list_audience":
        return answer(listAudience(args));
      case "get_receipt":
        return answer({ ...RECEIPT, number: args["number"] });
      case "list_plan_rows":
        return this.listRows(args);
      case "list_contacts":
        return this.list(args);
      case "find_contacts":
        return answer({ clear: false, candidates: this.people.slice(0, 4).map((person) => ({ ...person, score: 71, why: "similar name" })) });
      case "list_contact_groups":
        return answer({ total: GROUPS.length, groups: GROUPS });
      case "list_group_members":
        return page(this.people.filter((_person, index) => index % 4 === 0), args, "members");
      case "get_contact":
        return this.get(String(args["contact_id"]));
      case "update_contact":
        return this.update(args);
      case "create_contact":
        return answer({ ...this.people[1], id: "new", name: args["name"], information: ["The number was written as E.164"] });
      case "add_group_members":
        return answer({ added: (args["contact_ids"] as unknown[]).length });
      default:
        return PLANS.has(tool) ? answer(this.done(tool, args)) : failure(`not_found: there is no tool ${tool}`);
    }
  }

  private ask(tool: string, args: Fields, data: Fields): Result {
    if (!CONSENT.has(tool)) return answer({ ...data, needs_consent: false });
    const question = { tool, arguments: args, secret: "dev-secret", expires_in_seconds: 600, prompt: PROMPTS[tool] };
    return { ...answer({ needs_consent: true, ...data }), _meta: { "services.wayscloud/question": question } };
  }

  private findDuplicates(args: Fields): Result {
    if (args["search"]) return answer({ compared: 0, total: 0, certain: 0, likely: 0, possible: 0, clusters: [] });
    return answer(duplicates(this.merged, Number(args["limit"] ?? 20)));
  }

  private listRows(args: Fields): Result {
    const tool = String(args["tool"]);
    const all = this.rows.get(tool) ?? planRows(tool, PLAN_ROWS);
    this.rows.set(tool, all);
    const kept = all.filter((row) => {
      if (args["show"] === "attention") return row.notes.length > 0;
      return args["show"] !== "changes" || !["unchanged", "duplicate", "ambiguous", "invalid"].includes(row.action);
    });
    const offset = Number(args["offset"] ?? 0);
    const attention = all.filter((row) => row.notes.length > 0).length;
    const changes = all.filter((row) => !["unchanged", "duplicate", "ambiguous", "invalid"].includes(row.action)).length;
    return answer({ plan: "f00df00df00df00d", total: kept.length, changes, attention, rows: kept.slice(offset, offset + Number(args["limit"])) });
  }

  private plan(tool: string): Fields {
    const rows = planRows(tool, PLAN_ROWS);
    const count = (action: string) => rows.filter((row) => row.action === action).length;
    const plan = { applied: false, plan: "f00df00df00df00d", next: "…" };
    if (tool === "add_matching_to_group") {
      return { ...plan, group: "Newsletter", matched: PLAN_ROWS, already_members: count("unchanged"), new_members: count("add"), members: 8764 };
    }
    if (tool === "update_matching_contacts") return { ...plan, matched: PLAN_ROWS, unchanged: 0, updates: count("update"), overwrites: 0 };
    return {
      ...plan,
      understood_as: "csv, Google Contacts, UTF-8, commas",
      rows: PLAN_ROWS,
      new_contacts: count("create"),
      updates: count("update"),
      unchanged: count("unchanged"),
      duplicates: count("duplicate"),
      ambiguous: count("ambiguous"),
      invalid: count("invalid"),
      overwrites: 1430,
      converted: 212,
      unreachable: 37,
      not_reachable_by_sms: ["not a mobile number: 35 (rows 4, 18, 22, 40, 51, …)", "no number: 2 (rows 7, 9)"],
      sharing: ['2 rows share a number or address: row 8 with "Ola Nordmann", row 21 with "Post"'],
      extra_values: 14,
      region: "NO, from the settings",
      unused_columns: ["Birthday", "Photo"],
    };
  }

  private done(tool: string, args: Fields): Fields {
    const consent = "person";
    if (PLANS.has(tool) && tool !== "merge_contacts") return { ...this.plan(tool), applied: true, consent };
    if (tool === "merge_contacts") return this.merge(args);
    const record = this.people.find((person) => person.id === args["contact_id"]);
    if (tool !== "gdpr_delete_contact") {
      this.people.splice(this.people.findIndex((person) => person.id === args["contact_id"]), 1);
      return { done: true, records: [{ id: record?.id, name: record?.name }], consent };
    }
    return {
      erased: true,
      seen: "the directory shows 1 record as erased, without any data",
      records: [{ id: record?.id, receipt: 12, erased_at: "2026-11-30T17:20:00Z" }],
      cleared: ["name", "phone_number", "email", "notes"],
      groups_left: ["a"],
      remains: [
        "for each record in the directory: its id, the time, the reason and a numbered receipt, without personal data",
        "in this server's audit trail: the caller, the time and the ids",
      ],
      related: [{ id: "x2", name: "Ola Nordman", status: "deleted", shared: ["same e-mail"] }],
      consent,
    };
  }

  private merge(args: Fields): Fields {
    const done = merge(args);
    const clusters = (done["clusters"] ?? [done]) as { deleted: string[] }[];
    for (const id of clusters.flatMap((each) => each.deleted)) this.merged.add(id);
    return { ...done, consent: "person" };
  }

  private list(args: Fields): Result {
    const words = String(args["search"] ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const tags = (args["tags"] as string[] | undefined) ?? [];
    const found = this.people.filter((person) => {
      const text = `${person.name} ${person.company_name ?? ""} ${person.email ?? ""} ${person.phone_number ?? ""}`.toLowerCase();
      if (args["type"] && args["type"] !== "any" && args["type"] !== person.type) return false;
      return words.every((word) => text.includes(word)) && tags.every((tag) => person.tags.includes(tag));
    });
    return page(found, args, "contacts");
  }

  private get(id: string): Result {
    const found = this.people.find((person) => person.id === id);
    return found ? answer({ ...found }) : failure(`not_found: there is no contact with id ${id}; list_contacts shows the ids`);
  }

  private update(args: Fields): Result {
    const found = this.people.find((person) => person.id === args["contact_id"]);
    if (!found) return failure("not_found: there is no such contact");
    for (const [name, value] of Object.entries(args)) {
      if (name in found || ["notes", "email", "company_name", "phone_number"].includes(name)) Object.assign(found, { [name]: value });
    }
    for (const name of (args["clear_fields"] as (keyof Person)[] | undefined) ?? []) delete found[name];
    return answer({ ...found });
  }
}

function page(rows: readonly Person[], args: Fields, name: string): Result {
  const per = Number(args["per_page"] ?? 50);
  const number = Number(args["page"] ?? 1);
  const shown = rows.slice((number - 1) * per, number * per);
  const next = number * per < rows.length ? { next_page: number + 1 } : {};
  return answer({ total: rows.length, page: number, per_page: per, ...next, [name]: shown });
}

function answer(data: Fields): Result {
  return { content: [{ type: "text", text: JSON.stringify(data).slice(0, 2000) }], structuredContent: data };
}

function failure(text: string): Result {
  return { content: [{ type: "text", text }], isError: true };
}

const RECEIPT = {
  contact_id: "3f0c5b52-0000-4000-8000-000000000002",
  erased_at: "2026-11-30T17:20:00Z",
  erased_by: "stdio",
  reason: "Asked for by the customer",
  fields: ["name", "phone_number", "email", "notes"],
  hash: "9f2c1ad7b0e84f6a5d3317c08e9be1245fd0a6c7712b94de03f5a8816c42be90",
  previous_hash: "1b77e0a45cf8912d6e3ab4059c7f1d2288e6f4b09d5a3c71e0429fb86d13c5a7",
  chain_is_intact: true,
  chain_length: 12,
  chain_hash: "9f2c1ad7b0e84f6a5d3317c08e9be1245fd0a6c7712b94de03f5a8816c42be90",
  chain_faults: [],
};

const NO_CHOICES = { reason: "", items: [], more: "" };
const OLA = 'person "Ola Nordmann" (id 3f0c5b52-0000-4000-8000-000000000002, "Fjord & Fjell AS", "ola@example.no", "+4740015838", last changed 2026-11-02 10:02)';
const PROMPTS: Readonly<Record<string, unknown>> = {
  delete_contact: { verb: "Delete", label: OLA, effect: ["The contact is removed from all groups. It can be restored later, but not into its groups."], choices: NO_CHOICES, values: {}, phrase: "", yes: "delete", warning: "" },
  gdpr_delete_contact: {
    verb: "Erase permanently",
    label: OLA,
    effect: [
      "All personal data is erased: name, company, phone, e-mail, tags, notes.",
      "With it, the 2 records that were merged into it:",
      '- "Ola N." (id 91aa0000)',
      '- "O. Nordmann" (id 77bb0000)',
      'This reason is kept: "Asked for by the customer".',
    ],
    choices: {
      reason: "These records are not linked to it, but may be the same person",
      items: [
        { id: "x1", name: '"Ola Nordmann", active', description: '"Ola Nordmann" (id 5c2f0000): same number; "ola.n@example.com", active' },
        { id: "x2", name: '"Ola Nordman", deleted', description: '"Ola Nordman" (id 6d110000): similar name, same e-mail; "ola@example.no", deleted 2026-08-01' },
      ],
      more: "3 more may be the same person; they stay.",
    },
    values: {},
    phrase: "Ola Nordmann",
    yes: "",
    warning: "This cannot be undone.",
  },
  import_contacts: {
    verb: "Import",
    label: "1,667 contacts, and create 4,166, with data from a file",
    effect: ["2 of 1,667 contacts:", '- "Kari Nordmann" (id 3f0c5b52): phone_number "+4740000000" → "+4791234567"', "Existing values are overwritten: phone_number of 1,430 contacts."],
    choices: NO_CHOICES, values: {}, phrase: "", yes: "import", warning: "",
  },
  update_matching_contacts: { verb: "Change", label: "10,000 contacts", effect: ['Each gets the tag "2027".'], choices: NO_CHOICES, values: {}, phrase: "", yes: "change", warning: "" },
  merge_contacts: {
    verb: "Merge",
    label: '1 contact into person "Kari Nordmann" (id 3f0c5b52)',
    effect: ["Deleted after the merge:", '- "Kari N." (id 3f0c5b53): its groups are joined'],
    choices: NO_CHOICES, values: {}, phrase: "", yes: "merge", warning: "",
  },
};
