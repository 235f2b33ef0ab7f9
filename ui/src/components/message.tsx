import { Note } from "./states";
import { ViewHeader } from "./view-header";

/** A whole view that has only one thing to say. */
export function Message({ title, text }: { title: string; text: string }) {
  return (
    <>
      <ViewHeader title={title} />
      {text && (
        <div class="pad">
          <Note>{text}</Note>
        </div>
      )}
    </>
  );
}
