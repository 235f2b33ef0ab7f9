import { describe, expect, test } from "vitest";
import { type Answer, CallFailed, type Fields } from "./answer";
import { createDecision } from "./decision";
import type { Question } from "./question";

const SECRET = "only-the-panel-knows";
const QUESTION: Question = {
  tool: "delete_contact",
  arguments: { contact_id: "1" },
  secret: SECRET,
  expiresInSeconds: 600,
  prompt: {
    verb: "Delete",
    label: 'person "Ola"',
    effect: [],
    choices: { reason: "", items: [], more: "" },
    values: {},
    phrase: "",
    yes: "delete",
    warning: "",
  },
};

/** A server whose answers are given beforehand; it keeps the calls and what the model was told. */
class FakeHost {
  readonly calls: { tool: string; args: Fields }[] = [];
  readonly told: string[] = [];
  constructor(private readonly answers: (Partial<Answer> | CallFailed)[]) {}

  async call<T>(tool: string, args: Fields): Promise<Answer<T>> {
    this.calls.push({ tool, args });
    const answer = this.answers.shift();
    if (answer instanceof CallFailed) throw answer;
    return { data: {}, text: "", question: null, ...answer } as Answer<T>;
  }

  async tell(text: string): Promise<void> {
    this.told.push(text);
  }
}

function setUp(answers: (Partial<Answer> | CallFailed)[], question: Question | null = QUESTION) {
  const host = new FakeHost(answers);
  let time = 0;
  const decision = createDecision({ host, tool: "delete_contact", arguments: { contact_id: "1" }, question, now: () => time });
  return { host, decision, wait: (ms: number) => void (time += ms) };
}

describe("a question that came with the call", () => {
  test("agreeing sends the secret with exactly the question's arguments", async () => {
    const { host, decision } = setUp([{ data: { consent: "person" } }]);
    await decision.decide(true, "Ola", ["2"]);
    expect(host.calls).toEqual([
      {
        tool: "decide_in_panel",
        args: { tool: "delete_contact", arguments: { contact_id: "1" }, secret: SECRET, agree: true, typed: "Ola", also: ["2"] },
      },
    ]);
    expect(decision.state.get().status).toBe("done");
  });

  test("keeping sends agree false, and the model reads that nothing was done", async () => {
    const { host, decision } = setUp([{ data: { done: false } }]);
    await decision.decide(false);
    expect(host.calls[0]?.args["agree"]).toBe(false);
    expect(decision.state.get().status).toBe("kept");
    expect(host.told).toEqual(["In the panel, the person kept everything as it is: delete_contact was not done."]);
  });

  test("the model never reads the secret", async () => {
    for (const outcome of [{ data: {} }, new CallFailed("refused", "no"), new CallFailed("unreachable", "late")]) {
      const { host, decision } = setUp([outcome]);
      await decision.decide(true);
      expect(host.told.join()).not.toContain(SECRET);
      expect(host.told).toHaveLength(1);
    }
  });

  test("a decision counts once, however often it is clicked", async () => {
    const { host, decision } = setUp([{}]);
    await Promise.all([decision.decide(true), decision.decide(true), decision.decide(false)]);
    expect(host.calls).toHaveLength(1);
  });

  test("after its time it cannot be decided, and asking again opens a new one", async () => {
    const { host, decision, wait } = setUp([{ question: { ...QUESTION, secret: "new" } }]);
    wait(600_000);
    await decision.decide(true);
    expect(host.calls).toEqual([]);
    expect(decision.state.get().status).toBe("expired");
    await decision.ask();
    expect(decision.state.get()).toMatchObject({ status: "open", expiresAt: 1_200_000 });
  });

  test("without an answer it is unknown whether the call ran", async () => {
    const { decision } = setUp([new CallFailed("unreachable", "The server did not answer in time.")]);
    await decision.decide(true);
    expect(decision.state.get().status).toBe("unknown");
  });

  test("an answer that says done false is a failure with its reason", async () => {
    const { decision } = setUp([{ data: { done: false, reason: "the typed text differs" } }]);
    await decision.decide(true);
    expect(decision.state.get()).toMatchObject({ status: "failed", error: { message: "the typed text differs" } });
  });
});

describe("a call without a question", () => {
  test("it is fetched, and decided with its secret", async () => {
    const { host, decision } = setUp([{ data: { needs_consent: true }, question: QUESTION }, {}], null);
    await decision.ask();
    await decision.decide(true);
    expect(host.calls.map((call) => call.tool)).toEqual(["ask_in_panel", "decide_in_panel"]);
  });

  test("without need of consent the tool itself is called", async () => {
    const { host, decision } = setUp([{ data: { needs_consent: false } }, {}], null);
    await decision.ask();
    await decision.run();
    expect(host.calls.map((call) => call.tool)).toEqual(["ask_in_panel", "delete_contact"]);
    expect(decision.state.get().status).toBe("done");
  });

  test("if the person is asked elsewhere, the call can be made and says what it waits for", async () => {
    const waits = { data: { done: false, reason: "an approver has not decided yet" } };
    const { decision } = setUp([{ data: { needs_consent: true } }, waits], null);
    await decision.ask();
    expect(decision.state.get()).toEqual({ status: "direct", isAskedElsewhere: true });
    await decision.run();
    expect(decision.state.get()).toMatchObject({ status: "failed", error: { message: "an approver has not decided yet" } });
  });

  test("if it cannot be asked, the reason is kept and asking can be repeated", async () => {
    const { decision } = setUp([new CallFailed("refused", "No such contact.", "not_found"), { question: QUESTION }], null);
    await decision.ask();
    expect(decision.state.get()).toMatchObject({ status: "unasked", error: { code: "not_found" } });
    await decision.ask();
    expect(decision.state.get().status).toBe("open");
  });
});
