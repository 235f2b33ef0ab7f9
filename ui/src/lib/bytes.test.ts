import { expect, it } from "vitest";
import { createBytes } from "./bytes";

it("writes bytes in the largest unit that fits", () => {
  const bytes = createBytes("en");
  expect(bytes(0)).toBe("0 byte");
  expect(bytes(999)).toBe("999 byte");
  expect(bytes(1_250_000)).toBe("1.3 MB");
});
