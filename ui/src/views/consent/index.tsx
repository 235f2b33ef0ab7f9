import { useMemo } from "preact/hooks";
import { type Launch, useHostState, useLaunch } from "../../app/host";
import { type DecisionCall } from "../../components/consent";
import { Message } from "../../components/message";
import { ErrorNote, Skeleton } from "../../components/states";
import { ViewHeader } from "../../components/view-header";
import { ConsentPanel } from "./panel";
import { Done, summarizeForModel, titleOf } from "./done";

/** Asks a person about one call, and says what happened. */
export function ConsentView() {
  const launch = useLaunch();
  const { tool } = useHostState();
  switch (launch.status) {
    case "waiting":
    case "running":
      return (
        <>
          <ViewHeader title="Preparing a question" />
          <Skeleton rows={4} label="Waiting for the call" />
        </>
      );
    case "cancelled":
      return <Message title="The call was cancelled" text={launch.reason || "Nothing was changed."} />;
    case "failed":
      return (
        <>
          <ViewHeader title={titleOf(tool)} />
          <div class="pad">
            <ErrorNote title="This could not be prepared" message={launch.message} />
          </div>
        </>
      );
    case "done":
      return <Result launch={launch} tool={tool} />;
  }
}

function Result({ launch, tool }: { launch: Launch & { status: "done" }; tool: string }) {
  const { answer } = launch;
  const name = answer.question?.tool ?? tool;
  const call = useMemo<DecisionCall>(
    () => ({
      tool: name,
      arguments: answer.question?.arguments ?? launch.arguments,
      question: answer.question,
      summarize: (result) => summarizeForModel(name, result.data),
    }),
    [launch, name],
  );
  if (answer.question) return <ConsentPanel call={call} />;
  if (answer.data["done"] === false) {
    return <Message title="Nothing was changed" text={String(answer.data["reason"] ?? "")} />;
  }
  return (
    <>
      <ViewHeader title={titleOf(name)} />
      <div class="pad scroll">
        <Done tool={name} answer={answer.data} />
      </div>
    </>
  );
}
