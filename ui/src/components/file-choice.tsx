import { useId, useRef, useState } from "preact/hooks";
import { useFormat } from "../app/format";
import { Button } from "./button";
import { Icon } from "./icon";

/** A place to drop a file on; its button opens the browser's choice of files. */
export function FileChoice({ file, onFile }: { file: File | null; onFile: (file: File | null) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [isOver, setOver] = useState(false);
  const format = useFormat();
  const id = useId();
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    onFile(event.dataTransfer?.files[0] ?? null);
  };
  const over = (event: DragEvent) => {
    event.preventDefault();
    setOver(true);
  };
  return (
    <div class={`drop ${isOver ? "over" : ""}`} onDrop={drop} onDragOver={over} onDragLeave={() => setOver(false)}>
      <Icon name="save" />
      {file ? (
        <p>
          <strong>{file.name}</strong> <span class="muted">{format.count(Math.ceil(file.size / 1024), "KB", "KB")}</span>
        </p>
      ) : (
        <p>Drop a file of contacts here: CSV, vCard, Excel or JSON, from Google, Outlook, Apple or anywhere else.</p>
      )}
      <label class="visually-hidden" for={id}>
        File of contacts
      </label>
      <input
        ref={input}
        id={id}
        type="file"
        class="visually-hidden"
        tabIndex={-1}
        accept=".csv,.tsv,.txt,.vcf,.vcard,.json,.xlsx,.xls"
        onChange={(event) => onFile(event.currentTarget.files?.[0] ?? null)}
      />
      <Button onClick={() => input.current?.click()}>{file ? "Choose another file" : "Choose a file"}</Button>
    </div>
  );
}
