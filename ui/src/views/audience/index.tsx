import { useMemo, useState } from "preact/hooks";
import { useFormat } from "../../app/format";
import { useLaunch } from "../../app/host";
import { type HandOver, useHandOver } from "../../app/use-hand-over";
import { Button } from "../../components/button";
import { Empty, ErrorNote, Note, Skeleton } from "../../components/states";
import { ViewHeader } from "../../components/view-header";
import type { Fields } from "../../lib/answer";
import { type Audience, groupArguments, type PartName, readAudience } from "../../lib/audience";
import { useSelection } from "../contacts/use-selection";
import { AudienceBar, type Shown } from "./bar";
import { Countries } from "./countries";
import { Members } from "./members";
import { useMembers } from "./use-audience";

/** Shows whom an SMS to a group would reach, and why it would not reach the others. */
export function AudienceView() {
  const launch = useLaunch();
  switch (launch.status) {
    case "waiting":
    case "running":
      return (
        <>
          <ViewHeader title="Audience" subtitle="Checking the numbers of the members" />
          <Skeleton rows={6} label="Checking the numbers" />
        </>
      );
    case "cancelled":
    case "failed":
      return (
        <>
          <ViewHeader title="Audience" />
          <div class="pad">
            {launch.status === "failed" ? (
              <ErrorNote title="The audience could not be checked" message={launch.message} />
            ) : (
              <Note>{launch.reason || "The check was cancelled."}</Note>
            )}
          </div>
        </>
      );
    case "done":
      return <Checked args={launch.arguments} answer={launch.answer.data} />;
  }
}

function Checked({ args, answer }: { args: Fields; answer: Fields }) {
  const audience = useMemo(() => readAudience(answer), [answer]);
  const group = useMemo(() => groupArguments(args), [args]);
  if (!audience.members) {
    return (
      <>
        <Head audience={audience} />
        <Empty title="This group has no members" />
      </>
    );
  }
  return <Panel audience={audience} group={group} />;
}

function Head({ audience }: { audience: Audience }) {
  const format = useFormat();
  const reachable = audience.parts.find((part) => part.name === "reachable")?.count ?? 0;
  const subtitle = [
    `Reaches ${format.number(reachable)} of ${format.count(audience.members, "member")}`,
    ...(reachable === audience.numbers ? [] : [format.count(audience.numbers, "different number")]),
    ...(audience.requests > 1 ? [format.count(audience.requests, "request")] : []),
  ];
  const title = audience.group ? (
    <>
      SMS to “<bdi>{audience.group}</bdi>”
    </>
  ) : (
    "SMS to a group"
  );
  return <ViewHeader title={title} subtitle={audience.members ? subtitle.join(" · ") : undefined} />;
}

function Panel({ audience, group }: { audience: Audience; group: Fields }) {
  const [shown, setShown] = useState<Shown>(firstShown(audience));
  const [part, setPart] = useState<PartName>(shown === "countries" ? "reachable" : shown);
  const { rows, state, heights, countries } = useMembers(group, part);
  const { selected, toggle, clear } = useSelection();
  const handOver = useHandOver();
  const all = countries.length ? countries : audience.countries;
  const show = (next: Shown) => {
    setShown(next);
    if (next !== "countries") setPart(next);
  };
  return (
    <>
      <Head audience={audience} />
      <AudienceBar parts={audience.parts} countries={all.length} shown={shown} onShow={show} />
      {shown === "countries" ? (
        <Countries countries={all} total={all.reduce((sum, country) => sum + country.count, 0)} />
      ) : (
        <Members part={part} rows={rows} state={state} heights={heights} selected={selected} {...(handOver.isOffered && { onSelect: toggle })} />
      )}
      {handOver.isOffered && (shown !== "countries" || selected.size > 0) && <Footer handOver={handOver} selected={selected} onClear={clear} />}
    </>
  );
}

/** Begin with what a person may want to mend: the first reason why members are not reached. */
function firstShown(audience: Audience): Shown {
  return audience.parts.find((part) => !part.isSubset && part.name !== "reachable")?.name ?? "reachable";
}

interface FooterProps {
  handOver: HandOver;
  selected: ReadonlyMap<string, { id: string; name?: string }>;
  onClear: () => void;
}

/** Hands the selected members to the assistant. */
function Footer({ handOver, selected, onClear }: FooterProps) {
  const format = useFormat();
  const [message, setMessage] = useState("");
  const send = async () => {
    setMessage(await handOver.send([...selected.values()]));
    onClear();
  };
  if (!selected.size) {
    return (
      <div class="footer" role="status">
        <span class="muted">{message || "Select members to hand them to the assistant."}</span>
      </div>
    );
  }
  return (
    <div class="footer">
      <strong>{format.number(selected.size)} selected</strong>
      <Button small tone="quiet" onClick={onClear}>
        Clear
      </Button>
      <span class="spacer" />
      <Button small tone="primary" icon="send" busy={handOver.isSending} onClick={() => void send()}>
        {handOver.label}
      </Button>
    </div>
  );
}
