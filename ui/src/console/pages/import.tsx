import { useId, useState } from "preact/hooks";
import { Button } from "../../components/button";
import { FileChoice } from "../../components/file-choice";
import { ErrorNote } from "../../components/states";
import { ViewHeader } from "../../components/view-header";
import { asFailure, type Fields, readResult } from "../../lib/answer";
import { readText } from "../../lib/file-text";
import type { Connection } from "../connection";
import { useConnection } from "../context";
import { useToolView } from "../use-tool-view";
import { ViewFrame } from "../frame";

/** Choose a file, say what to do with it, and look at the plan before anything is changed. */
export function ImportPage() {
  const connection = useConnection();
  const [file, setFile] = useState<File | null>(null);
  const [sending, setSending] = useState(false);
  const [problem, setProblem] = useState("");
  const [state, plan, forget] = useToolView("plan", "import_contacts");

  const start = async (chosen: File, options: Fields) => {
    setSending(true);
    setProblem("");
    try {
      plan({ ...(await sendFile(connection, chosen)), ...options });
    } catch (error) {
      setProblem(asFailure(error).message);
    } finally {
      setSending(false);
    }
  };

  if (state.status === "shown") {
    return (
      <div class="with-bar">
        <div class="page-bar">
          <Button small tone="quiet" icon="back" onClick={forget}>
            Other file
          </Button>
          <span class="muted truncate">{file?.name}</span>
        </div>
        <ViewFrame shown={state.shown} title="Plan of the import" />
      </div>
    );
  }
  const failure = problem || (state.status === "failed" ? state.error.message : "");
  return (
    <div class="shell fullscreen">
      <ViewHeader title="Import" subtitle="Nothing is changed before you have seen what would happen." />
      <div class="scroll pad narrow stack">
        {failure && <ErrorNote title="The file cannot be imported like this" message={failure} />}
        <ImportForm file={file} onFile={setFile} onStart={start} isBusy={sending || state.status === "running"} />
      </div>
    </div>
  );
}

interface ImportFormProps {
  file: File | null;
  onFile: (file: File | null) => void;
  onStart: (file: File, options: Fields) => void;
  isBusy: boolean;
}

function ImportForm({ file, onFile, onStart, isBusy }: ImportFormProps) {
  const [group, setGroup] = useState("");
  const [tags, setTags] = useState("");
  const [region, setRegion] = useState("");
  const [onMatch, setOnMatch] = useState("skip");
  const id = useId();
  const submit = (event: Event) => {
    event.preventDefault();
    if (file) onStart(file, toOptions(group, tags, region, onMatch));
  };
  return (
    <form class="stack" onSubmit={submit}>
      <FileChoice file={file} onFile={onFile} />
      <div class="fields">
        <div class="field">
          <label for={`${id}-match`}>Contacts that exist already</label>
          <select id={`${id}-match`} class="input wide" value={onMatch} onChange={(event) => setOnMatch(event.currentTarget.value)}>
            <option value="skip">Leave as they are</option>
            <option value="update">Update with the file's values</option>
            <option value="create">Add again</option>
          </select>
        </div>
        <TextField id={`${id}-region`} label="Country of numbers without +" value={region} onInput={setRegion} placeholder="such as NO" />
        <TextField id={`${id}-group`} label="Add all to the group" value={group} onInput={setGroup} placeholder="optional; created if it is new" />
        <TextField id={`${id}-tags`} label="Tags for all" value={tags} onInput={setTags} placeholder="optional, separated by commas" />
      </div>
      <div class="buttons">
        <Button type="submit" tone="primary" disabled={!file} busy={isBusy}>
          Show the plan
        </Button>
        {isBusy && <span class="muted">Reading the file and comparing it with your contacts</span>}
      </div>
    </form>
  );
}

interface TextFieldProps {
  id: string;
  label: string;
  value: string;
  onInput: (value: string) => void;
  placeholder?: string;
}

function TextField({ id, label, value, onInput, placeholder = "" }: TextFieldProps) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input id={id} class="input" value={value} placeholder={placeholder} onInput={(event) => onInput(event.currentTarget.value)} />
    </div>
  );
}

function toOptions(group: string, tags: string, region: string, onMatch: string): Fields {
  const list = tags.split(",").flatMap((tag) => (tag.trim() ? [tag.trim()] : []));
  return {
    on_match: onMatch,
    ...(group.trim() && { group: group.trim(), create_group: true }),
    ...(list.length > 0 && { tags: list }),
    ...(region.trim() && { default_region: region.trim().toUpperCase() }),
  };
}

/** Send a file by a link of the server, which keeps its encoding; or its text, if the server makes no links. */
async function sendFile(connection: Connection, file: File): Promise<Fields> {
  const offer = await connection.callRaw("import_contacts", {});
  if (!offer.isError) {
    const { url, upload } = readResult<{ url?: string; upload?: string }>(offer).data;
    if (url && upload) {
      const response = await fetch(new URL(url, location.href), { method: "PUT", body: file, credentials: "omit" });
      if (!response.ok) throw new Error(await refusalOf(response));
      return { upload };
    }
  }
  return { content: await readText(file) };
}

async function refusalOf(response: Response): Promise<string> {
  const fallback = `The server did not take the file (${response.status}).`;
  try {
    const body = (await response.json()) as { error?: { message?: string } };
    return body.error?.message ?? fallback;
  } catch {
    return fallback;
  }
}

