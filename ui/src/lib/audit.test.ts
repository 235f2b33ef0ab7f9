import { describe, expect, it } from "vitest";
import { describeConsent, furtherFields, toolTitle } from "./audit";

describe("furtherFields", () => {
  it("leaves out what the row shows, and writes lists and counts as text", () => {
    const record = { seq: 7, tool: "import_contacts", hash: "x", created_ids: [["a", "b"], "c"], counts: { created: 2 } };
    expect(furtherFields(record)).toEqual([
      ["created ids", "a, b, c"],
      ["counts", "created: 2"],
    ]);
  });
});

describe("describeConsent", () => {
  it("names known ways, and shows others as they are", () => {
    expect(describeConsent("page")).toBe("on a page of this computer");
    expect(describeConsent("by_letter")).toBe("by letter");
    expect(describeConsent(undefined)).toBe("");
  });
});

describe("toolTitle", () => {
  it("writes an abbreviation in capitals", () => {
    expect(toolTitle("gdpr_delete_contact")).toBe("GDPR delete contact");
  });
});
