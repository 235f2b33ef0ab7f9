import { expect, test } from "vitest";
import { groupArguments, readAudience, readCountries, remarkOf, sharesOf } from "./audience";

const ANSWER = { group: "Board", members: 10, reachable: 7, numbers: 6, no_number: 2, not_e164: 1, invalid: 0, landlines: 1, duplicates: 1, sms_requests: 1 };

test("parts without members are left out, but not the reachable", () => {
  expect(readAudience(ANSWER).parts.map((part) => part.name)).toEqual(["reachable", "no_number", "not_e164", "landlines", "duplicates"]);
  expect(readAudience({ members: 1, no_number: 1 }).parts.map((part) => part.name)).toEqual(["reachable", "no_number"]);
});

test("the shares add up to the whole bar, without subsets and zeros", () => {
  const shares = sharesOf(readAudience(ANSWER).parts);
  expect(shares.map(({ part, percent }) => [part.name, Math.round(percent)])).toEqual([
    ["reachable", 70],
    ["no_number", 20],
    ["not_e164", 10],
  ]);
});

test("a share of one among many is wide enough to be seen", () => {
  const shares = sharesOf(readAudience({ members: 10_000, reachable: 9_999, invalid: 1 }).parts);
  expect(shares[1]?.percent).toBeGreaterThan(1);
  expect(shares.reduce((sum, { percent }) => sum + percent, 0)).toBeCloseTo(100);
});

test("countries are read from both answers, which name the count differently", () => {
  expect(readCountries([{ country: "NO", numbers: 3 }])).toEqual([{ code: "NO", count: 3 }]);
  expect(readCountries([{ country: "NO", reachable: 3 }])).toEqual([{ code: "NO", count: 3 }]);
  expect(readCountries("NO")).toEqual([]);
});

test("the group is named as the opening call has named it", () => {
  expect(groupArguments({ group: "Board", other: 1 })).toEqual({ group: "Board" });
  expect(groupArguments({ group_id: "1", group: "Board" })).toEqual({ group_id: "1" });
  expect(groupArguments({})).toEqual({});
});

test("a repeated number is said to be that of another member", () => {
  expect(remarkOf({ id: "1", why: "landline, duplicate", same_as: "Ola" })).toBe("landline, same as Ola");
  expect(remarkOf({ id: "1", why: "no_number" })).toBe("");
});
