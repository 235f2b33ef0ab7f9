import { useFormat } from "../../app/format";
import { Button } from "../../components/button";
import { Note } from "../../components/states";
import type { Fields } from "../../lib/answer";
import { countsOf, mergeRemarks, remarksOf } from "../../lib/plan";
import { Counts, Remarks } from "./summary";
import type { Plan } from "./use-plan";

interface ResultProps {
  plan: Pick<Plan, "tool" | "arguments">;
  answer: Fields;
  onUndo: (receipt: string) => void;
}

/** What applying a plan has done. */
export function Result({ plan, answer, onUndo }: ResultProps) {
  const { tool } = plan;
  const format = useFormat();
  const counts = countsOf(tool, answer);
  const remarks = tool === "merge_contacts" ? mergeRemarks(answer) : remarksOf(answer, format);
  const hasFailures = counts.some((count) => count.tone === "danger" && count.value > 0);
  const isInFolder = "path" in plan.arguments && typeof answer["file"] === "string"; // else only the assistant can read it
  const undo = answer["undo"];
  const until = answer["undo_until"];
  return (
    <>
      <Counts counts={counts} />
      <Remarks remarks={remarks} />
      <div class="pad stack">
        <Note tone={hasFailures ? "warning" : "good"}>
          <strong>{hasFailures ? "Done, but not everything" : "Done"}</strong>
          {typeof until === "string" && <p>It can be undone until {format.dateTime(until)}.</p>}
          {isInFolder && <p>The result of each row is in {String(answer["file"])}, in the folder for files.</p>}
        </Note>
        {typeof undo === "string" && undo && (
          <div class="buttons">
            <Button onClick={() => onUndo(undo)}>Plan an undo</Button>
          </div>
        )}
      </div>
    </>
  );
}
