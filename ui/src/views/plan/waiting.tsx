import { useState } from "preact/hooks";
import { FileChoice } from "../../components/file-choice";
import { ErrorNote, Spinner } from "../../components/states";
import { ViewHeader } from "../../components/view-header";
import { asFailure } from "../../lib/answer";
import { readText } from "../../lib/file-text";

interface WaitingProps {
  /** Why the plan of the file that was chosen could not be made. */
  problem: string;
  isPlanning: boolean;
  /** Called with the text of the file that the person has chosen. */
  onText: (text: string) => void;
}

/** An import without its file: the assistant sends it by a link, or the person chooses it here. */
export function WaitingForFile({ problem, isPlanning, onText }: WaitingProps) {
  const [file, setFile] = useState<File | null>(null);
  const [failure, setFailure] = useState("");
  const take = async (chosen: File | null) => {
    setFile(chosen);
    setFailure("");
    if (!chosen) return;
    try {
      onText(await readText(chosen));
    } catch (error) {
      setFailure(asFailure(error).message);
    }
  };
  return (
    <>
      <ViewHeader title="Import" subtitle="Choose the file here, or let the assistant send it by its link. Nothing is changed before you have seen the plan." />
      <div class="pad stack">
        {(failure || problem) && <ErrorNote title="The file cannot be imported like this" message={failure || problem} />}
        <FileChoice file={file} onFile={(chosen) => void take(chosen)} />
        {isPlanning && <Spinner label="Planning" />}
      </div>
    </>
  );
}
