import { expect, test } from "vitest";
import { erasedFields, fileNameOf, numbersOf, type Proof, readErasure, receiptText } from "./receipt";

const ANSWER = {
  erased: true,
  seen: "the directory shows 2 records as erased",
  records: [
    { id: "c1", receipt: 12, erased_at: "2026-11-30T17:20:00Z" },
    { id: "c2", receipt: 13, erased_at: "2026-11-30T17:20:00Z" },
  ],
  groups_left: ["g1"],
  related: [{ id: "c9", name: "Ola Nordman", status: "deleted", shared: ["same e-mail"] }],
  remains: ["the receipts"],
};

function proofOf(changes: Partial<Proof> = {}): Proof {
  return {
    number: 12,
    contact_id: "c1",
    erased_at: "2026-11-30T17:20:00Z",
    erased_by: "kari@example.no",
    reason: "Asked for",
    fields: ["name", "phone_number"],
    hash: "9f2c",
    previous_hash: "1b77",
    chain_is_intact: true,
    chain_length: 13,
    chain_hash: "77aa",
    chain_faults: [],
    ...changes,
  };
}

test("the receipts of all records are asked for, each once", () => {
  expect(numbersOf(readErasure(ANSWER))).toEqual([12, 13]);
  expect(numbersOf(readErasure({ ...ANSWER, records: [{ id: "c1" }] }))).toEqual([]);
});

test("the erased fields are those of the proof, else those that the answer calls cleared", () => {
  const erasure = readErasure({ ...ANSWER, cleared: ["name", "email"] });
  expect(erasedFields(erasure, [proofOf(), proofOf({ number: 13 })])).toEqual(["name", "phone"]);
  expect(erasedFields(erasure, [])).toEqual(["name", "e-mail"]);
});

test("the saved receipt has each record with its proof, and no name", () => {
  const text = receiptText(readErasure(ANSWER), [proofOf()]);
  expect(text).toContain("Contact: c1\nErased at: 2026-11-30T17:20:00Z\nReceipt: 12\nErased by: kari@example.no");
  expect(text).toContain("Hash: 9f2c\nHash of the receipt before: 1b77");
  expect(text).toContain("Chain of all receipts: intact (13 receipts, the last with hash 77aa)");
  expect(text).toContain("- c9 (deleted; same e-mail)");
  expect(text).not.toContain("Ola");
});

test("a broken chain is called broken, with its faults", () => {
  const proof = proofOf({ chain_is_intact: false, chain_faults: ["receipt 4 was changed"] });
  expect(receiptText(readErasure(ANSWER), [proof])).toContain("not intact: receipt 4 was changed");
});

test("the first receipt has no receipt before it", () => {
  expect(receiptText(readErasure(ANSWER), [proofOf({ previous_hash: "" })])).toContain("none, this is the first");
});

test("an erasure that is not confirmed says so, and what is left", () => {
  const erasure = readErasure({ erased: false, seen: "still shows data", left: ["email"], unknown: ["backups"] });
  const text = receiptText(erasure, []);
  expect(text).toContain("Result: not confirmed; still shows data");
  expect(text).toContain("Still shown:\n- email");
  expect(text).toContain("Not known:\n- backups");
});

test("the file is named after the first receipt", () => {
  expect(fileNameOf(readErasure(ANSWER))).toBe("erasure-receipt-12.txt");
  expect(fileNameOf(readErasure({}))).toBe("erasure-receipt.txt");
});
