import { splitLine } from "../lib/wording";

/** A line of the server's wording. Values are isolated: their writing direction does not reach beyond them. */
export function RichText({ text }: { text: string }) {
  return (
    <>
      {splitLine(text).map((part, index) => {
        if (part.kind === "text") return part.text;
        const value = <bdi>{part.text}</bdi>;
        if (part.kind === "old") return <del key={index}>{value}</del>;
        if (part.kind === "new") return <ins key={index}>{value}</ins>;
        return (
          <span key={index} class="value">
            “{value}”
          </span>
        );
      })}
    </>
  );
}
