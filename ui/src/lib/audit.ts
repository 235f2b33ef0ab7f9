import type { Tone } from "../components/badge";

/** A record of the audit trail, as the server stores it. */
export interface AuditRecord {
  seq: number;
  time?: string;
  caller?: string;
  tool?: string;
  risk?: string;
  consent?: string;
  approver?: string;
  outcome?: string;
  error?: string;
  hash?: string;
  [field: string]: unknown;
}

/** What each outcome means to a person, and its color. */
export const OUTCOMES: Readonly<Record<string, { text: string; tone: Tone }>> = {
  done: { text: "Done", tone: "good" },
  begun: { text: "Began", tone: "info" },
  asked: { text: "Asked", tone: "info" },
  refused: { text: "Refused", tone: "warning" },
  failed: { text: "Failed", tone: "warning" },
  unknown: { text: "Unknown", tone: "danger" },
  not_run: { text: "Not run", tone: "neutral" },
};

/** What each kind of consent means to a person. */
const CONSENTS: Readonly<Record<string, string>> = {
  none_needed: "none needed",
  form: "in the host's form",
  form_typed: "typed into the host's form",
  page: "on a page of this computer",
  url: "on the server's page",
  terminal: "in a terminal",
  approver: "by an approver",
  app: "in a panel of the host",
  two_step_not_verified: "by a token, not verified",
};

const SHOWN_APART = new Set(["seq", "time", "caller", "tool", "outcome", "consent", "hash", "previous"]);

/** Return how a person agreed to the call of a record. */
export function describeConsent(consent: string | undefined): string {
  return consent ? (CONSENTS[consent] ?? consent.replaceAll("_", " ")) : "";
}

/** Return the fields of a record that its row does not show, as text. */
export function furtherFields(record: AuditRecord): [string, string][] {
  return Object.entries(record).flatMap(([name, value]): [string, string][] =>
    SHOWN_APART.has(name) ? [] : [[name.replaceAll("_", " "), describeValue(value)]],
  );
}

function describeValue(value: unknown): string {
  if (Array.isArray(value)) return value.flat(3).map(describeValue).join(", ");
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([name, each]) => `${name.replaceAll("_", " ")}: ${describeValue(each)}`)
      .join(", ");
  }
  return String(value);
}

/** Return a tool's name as a title: "Delete contact". */
export function toolTitle(tool: string): string {
  const words = tool.replaceAll("_", " ");
  return (words.charAt(0).toUpperCase() + words.slice(1)).replace("Gdpr", "GDPR");
}
