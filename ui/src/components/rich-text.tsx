import type { ComponentChildren } from "preact";

const VALUE = /("[^"]*"|\(empty\)) → ("[^"]*"|\(empty\))|"[^"]*"/g;

/** A line of the server in which values stand between quotation marks: each is set apart, old and new told apart. */
export function RichText({ text }: { text: string }) {
  const parts: ComponentChildren[] = [];
  let end = 0;
  for (const match of text.matchAll(VALUE)) {
    parts.push(text.slice(end, match.index));
    end = match.index + match[0].length;
    if (match[1] === undefined || match[2] === undefined) {
      parts.push(<Value quoted={match[0]} />);
    } else {
      parts.push(match[1] === "(empty)" ? <span class="muted">(empty)</span> : <del><Value quoted={match[1]} /></del>);
      parts.push(" → ", <ins><Value quoted={match[2]} /></ins>);
    }
  }
  parts.push(text.slice(end));
  return <>{parts}</>;
}

function Value({ quoted }: { quoted: string }) {
  if (!quoted.startsWith('"')) return <>{quoted}</>;
  return (
    <>
      “<bdi>{quoted.slice(1, -1)}</bdi>”
    </>
  );
}
