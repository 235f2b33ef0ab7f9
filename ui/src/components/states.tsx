import type { ComponentChildren } from "preact";
import { Button } from "./button";
import { Icon } from "./icon";

/** Grey rows in place of what is being loaded. `label` is what a screen reader says. */
export function Skeleton({ rows, label }: { rows: number; label: string }) {
  return (
    <div class="skeleton" role="status" aria-label={label}>
      {Array.from({ length: rows }, (_, index) => (
        <span key={index} class="skeleton-row" style={{ width: `${SKELETON_WIDTHS[index % SKELETON_WIDTHS.length]}%` }} />
      ))}
    </div>
  );
}

const SKELETON_WIDTHS = [92, 78, 85, 64, 88];

/** What to say if there is nothing to show. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

interface ErrorNoteProps {
  title: string;
  message?: string;
  /** Shows a button that tries again. */
  onRetry?: () => void;
  retryLabel?: string;
}

/** An error: what failed, why, and a button to try again if that makes sense. Read out at once. */
export function ErrorNote({ title, message, onRetry, retryLabel = "Try again" }: ErrorNoteProps) {
  return (
    <div class="note danger" role="alert">
      <Icon name="alert" />
      <div class="note-body">
        <strong>{title}</strong>
        {message && <p>{message}</p>}
      </div>
      {onRetry && (
        <Button small onClick={onRetry}>
          {retryLabel}
        </Button>
      )}
    </div>
  );
}

/** A short remark beside the content. */
export function Note({ tone = "info", children }: { tone?: "info" | "good" | "warning"; children: ComponentChildren }) {
  return (
    <div class={`note ${tone}`} role={tone === "good" ? "status" : undefined}>
      <Icon name={NOTE_ICONS[tone]} />
      <div class="note-body">{children}</div>
    </div>
  );
}

const NOTE_ICONS = { info: "info", good: "check", warning: "alert" } as const;

/** A small circle that turns while something runs. */
export function Spinner({ label }: { label: string }) {
  return <span class="spinner" role="status" aria-label={label} />;
}
