import { describe, expect, it } from "vitest";
import { formatOf } from "./format";

describe("formatOf", () => {
  it("creates the formats of a locale only once", () => {
    expect(formatOf("nb-NO", "Europe/Oslo")).toBe(formatOf("nb-NO", "Europe/Oslo"));
    expect(formatOf("nb-NO", "Europe/Oslo")).not.toBe(formatOf("en-GB", "Europe/Oslo"));
  });

  it("writes numbers and times as the locale and time zone do", () => {
    expect(formatOf("de-DE").number(12345)).toBe("12.345");
    expect(formatOf("en-GB", "Asia/Tokyo").dateTime("2026-11-30T20:00:00Z")).toBe("1 Dec 2026, 05:00");
  });

  it("uses the browser's locale for one that is unknown", () => {
    expect(formatOf("no locale", "no zone").number(7)).toBe("7");
  });
});
