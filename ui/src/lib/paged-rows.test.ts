import { expect, test } from "vitest";
import { CallFailed } from "./answer";
import { PagedRows, type RowPage } from "./paged-rows";

/** Calls that are answered when the test says so. */
function setUp(total = 1000) {
  const calls: { offset: number; answer: () => void; fail: (error: Error) => void }[] = [];
  const load = (offset: number, limit: number) =>
    new Promise<RowPage<number>>((resolve, reject) => {
      const rows = Array.from({ length: Math.min(limit, total - offset) }, (_, index) => offset + index);
      calls.push({ offset, answer: () => resolve({ total, rows }), fail: reject });
    });
  return { calls, list: new PagedRows(load, 100) };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

test("only the pages of the wanted rows are loaded, each once", async () => {
  const { calls, list } = setUp();
  list.want(250, 260);
  list.want(250, 310);
  expect(calls.map((call) => call.offset)).toEqual([200, 300]);
  calls[0]?.answer();
  await settled();
  expect(list.get(255)).toBe(255);
  expect(list.get(10)).toBeUndefined();
  expect(list.state.get()).toMatchObject({ status: "ready", total: 1000 });
});

test("while two calls run, the rows wanted last are loaded next", async () => {
  const { calls, list } = setUp();
  list.want(0, 200);
  list.want(400, 410);
  list.want(900, 910);
  expect(calls.map((call) => call.offset)).toEqual([0, 100]);
  calls[0]?.answer();
  await settled();
  expect(calls.map((call) => call.offset)).toEqual([0, 100, 900]);
});

test("after an error nothing more is asked until it is retried", async () => {
  const { calls, list } = setUp();
  list.want(0, 10);
  calls[0]?.fail(new CallFailed("refused", "No."));
  await settled();
  expect(list.state.get()).toMatchObject({ status: "error", error: { message: "No." } });
  list.want(0, 10);
  expect(calls).toHaveLength(1);
  list.retry();
  calls[1]?.answer();
  await settled();
  expect(list.get(3)).toBe(3);
});

test("a closed list ignores late answers", async () => {
  const { calls, list } = setUp();
  list.want(0, 10);
  list.close();
  calls[0]?.answer();
  await settled();
  expect(list.get(3)).toBeUndefined();
});

test("a page of which the server gives only a part is completed", async () => {
  const asked: [number, number][] = [];
  const list = new PagedRows<number>(async (offset, limit) => {
    asked.push([offset, limit]);
    return { total: 150, rows: Array.from({ length: Math.min(40, limit, 150 - offset) }, (_, index) => offset + index) };
  }, 100);
  list.want(0, 150);
  await settled();
  await settled();
  expect(asked.sort((a, b) => a[0] - b[0])).toEqual([
    [0, 100],
    [40, 60],
    [80, 20],
    [100, 100],
    [140, 60],
  ]);
  expect([list.get(99), list.get(149)]).toEqual([99, 149]);
});
