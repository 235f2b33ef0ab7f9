import type { ComponentChildren } from "preact";

export type Tone = "neutral" | "info" | "good" | "warning" | "danger";

/** A word in a colored pill. */
export function Badge({ tone = "neutral", children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

/** A tag of a contact. */
export function Tag({ children }: { children: ComponentChildren }) {
  return <span class="tag">{children}</span>;
}
