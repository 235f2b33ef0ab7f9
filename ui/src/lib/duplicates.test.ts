import { describe, expect, test } from "vitest";
import type { Contact } from "./contacts";
import { appendPage, type Choice, type Cluster, fateOf, fieldsOf, keyOf, mergeArguments, nextBatch, readDuplicates, readOutcomes, summarizeMerge, withoutMerged } from "./duplicates";

function clusterOf(contacts: Contact[], confidence: Cluster["confidence"] = "certain"): Cluster {
  return { confidence, evidence: ["same phone"], contacts, more: 0, lessCertain: [] };
}

function choiceOf(size: number, confidence: Cluster["confidence"] = "certain", prefix = "a"): Choice {
  const contacts = Array.from({ length: size }, (_, index) => ({ id: `${prefix}${index}`, name: "Kari" }));
  return { cluster: clusterOf(contacts, confidence), keepId: `${prefix}0` };
}

const KARI: Contact = { id: "1", name: "Kari Nordmann", phone_number: "+4740000000", email: "kari@example.no" };
const SHORT: Contact = { id: "2", name: "K. Nordmann", phone_number: "0047 40 00 00 00", email: "k@example.no", company_name: "Fjord AS" };

test("an answer is read with its counts, and clusters of one contact are left out", () => {
  const found = readDuplicates({
    compared: 9,
    total: 2,
    certain: 1,
    likely: 0,
    possible: 1,
    clusters: [
      { confidence: "certain", evidence: ["same phone"], contacts: [KARI, SHORT], more: 2 },
      { confidence: "possible", evidence: [], contacts: [KARI] },
    ],
  });
  expect(found).toMatchObject({ compared: 9, total: 2, counts: { certain: 1, possible: 1 } });
  expect(found.clusters.map((cluster) => [cluster.contacts.length, cluster.more])).toEqual([[2, 2]]);
});

test("an answer without clusters has none", () => {
  expect(readDuplicates({}).clusters).toEqual([]);
});

describe("the fate of a value", () => {
  const cluster = clusterOf([KARI, SHORT]);

  test("of the kept contact is to be kept", () => {
    expect(fateOf(cluster, "1", KARI, "name")).toBe("kept");
  });

  test("that only differs in how it is written is the same", () => {
    expect(fateOf(cluster, "1", SHORT, "phone_number")).toBe("same");
  });

  test("that differs: a name is lost, an address goes to the notes", () => {
    expect(fateOf(cluster, "1", SHORT, "name")).toBe("lost");
    expect(fateOf(cluster, "1", SHORT, "email")).toBe("noted");
  });

  test("that the kept contact lacks is added to it", () => {
    expect(fateOf(cluster, "1", SHORT, "company_name")).toBe("added");
    expect(fateOf(cluster, "1", KARI, "company_name")).toBe("empty");
  });

  test("depends on which contact is kept", () => {
    expect(fateOf(cluster, "2", KARI, "name")).toBe("lost");
    expect(fateOf(cluster, "2", SHORT, "company_name")).toBe("kept");
  });

  test("of a second contact that would complete the kept one is not added, too", () => {
    const third = { id: "3", name: "Kari Nordmann", company_name: "Fjell AS" };
    expect(fateOf(clusterOf([KARI, SHORT, third]), "1", third, "company_name")).toBe("lost");
  });
});

test("fields of which no contact has a value are not shown", () => {
  expect(fieldsOf(clusterOf([{ id: "1", name: "Kari" }, { id: "2", email: "k@example.no" }]))).toEqual(["name", "email"]);
});

test("a cluster keeps its key when its contacts come in another order", () => {
  expect(keyOf(clusterOf([KARI, SHORT]))).toBe(keyOf(clusterOf([SHORT, KARI])));
});

test("one cluster is merged by keep_id and merge_ids, several by clusters with the kept one first", () => {
  const one = { cluster: clusterOf([KARI, SHORT]), keepId: "2" };
  expect(mergeArguments([one])).toEqual({ keep_id: "2", merge_ids: ["1"] });
  expect(mergeArguments([one, choiceOf(3)])).toEqual({ clusters: [["2", "1"], ["a0", "a1", "a2"]] });
});

describe("a batch", () => {
  test("has only certain clusters", () => {
    const choices = [choiceOf(2), choiceOf(2, "likely", "b"), choiceOf(2, "certain", "c")];
    expect(nextBatch(choices).map(({ keepId }) => keepId)).toEqual(["a0", "c0"]);
  });

  test("has at most 10 clusters", () => {
    expect(nextBatch(Array.from({ length: 12 }, () => choiceOf(2)))).toHaveLength(10);
  });

  test("deletes at most 20 contacts", () => {
    expect(nextBatch(Array.from({ length: 8 }, () => choiceOf(5)))).toHaveLength(5);
  });
});

describe("after a merge", () => {
  const found = {
    search: "s",
    loaded: 2,
    compared: 9,
    total: 3,
    counts: { certain: 2, likely: 1, possible: 0 },
    clusters: [choiceOf(2).cluster, choiceOf(2, "certain", "b").cluster],
  };
  const answer = {
    merged: 1,
    not_merged: 1,
    clusters: [
      { contact: { id: "b0", name: "Ola" }, changed: [], deleted: [], not_deleted: ["b1: conflict"] },
      { contact: { id: "a0", name: "Kari" }, changed: ["email"], deleted: ["a1"], groups_joined: ["Board"] },
    ],
  };

  test("merged clusters leave the list and the counts; others stay with the reason", () => {
    const outcomes = readOutcomes(answer);
    expect(withoutMerged(found, outcomes)).toMatchObject({ total: 2, counts: { certain: 1, likely: 1 } });
    expect(withoutMerged(found, outcomes).clusters.map(keyOf)).toEqual(["b0"]);
    expect(outcomes.map(({ isMerged, error }) => [isMerged, error])).toEqual([
      [false, "Not deleted: b1: conflict."],
      [true, ""],
    ]);
  });

  test("each outcome says what has changed", () => {
    expect(readOutcomes(answer)[1]?.changes).toEqual(["1 deleted", "changed: e-mail", "added to Board"]);
  });

  test("the answer about one cluster is read, too", () => {
    expect(readOutcomes({ contact: { id: "a0", name: "Kari" }, changed: [], deleted: ["a1"] })).toMatchObject([{ keepId: "a0", isMerged: true }]);
  });

  test("the model learns how many were merged, and no name", () => {
    expect(summarizeMerge(answer)).toBe("1 cluster of duplicates merged, 1 not merged or only in part");
  });
});

describe("a further page", () => {
  const page = (prefixes: readonly string[]) =>
    readDuplicates({ search: "s", total: 4, certain: 4, clusters: prefixes.map((prefix) => choiceOf(2, "certain", prefix).cluster) });

  test("is added behind the clusters that are shown", () => {
    const both = appendPage(page(["a", "b"]), page(["c", "d"]));
    expect(both.clusters.map(keyOf)).toEqual(["a0", "b0", "c0", "d0"]);
    expect(both.loaded).toBe(4);
  });

  test("begins after all that were loaded, also after a merge, and leaves the counts without it", () => {
    const first = page(["a", "b"]);
    const merged = withoutMerged(first, readOutcomes({ contact: { id: "a0" }, deleted: ["a1"] }));
    expect(merged.loaded).toBe(2);
    const both = appendPage(merged, page(["c", "d"]));
    expect([both.total, both.clusters.map(keyOf)]).toEqual([3, ["b0", "c0", "d0"]]);
  });
});
