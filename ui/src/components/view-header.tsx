import type { ComponentChildren } from "preact";
import { useHost, useHostState } from "../app/host";
import { Button } from "./button";

interface ViewHeaderProps {
  title: ComponentChildren;
  /** One line below the title. */
  subtitle?: ComponentChildren;
  /** Buttons at the end of the line. */
  children?: ComponentChildren;
}

/** The head of a view: what it shows, its buttons, and full screen if the host offers it. */
export function ViewHeader({ title, subtitle, children }: ViewHeaderProps) {
  return (
    <header class="view-header">
      <div class="view-title">
        <h1>{title}</h1>
        {subtitle && <p class="muted">{subtitle}</p>}
      </div>
      <div class="view-actions">
        {children}
        <ExpandButton />
      </div>
    </header>
  );
}

function ExpandButton() {
  const host = useHost();
  const { canExpand, displayMode } = useHostState();
  if (!canExpand) return null;
  const isFull = displayMode === "fullscreen";
  const label = isFull ? "Leave full screen" : "Full screen";
  const toggle = () => void host.setDisplayMode(isFull ? "inline" : "fullscreen");
  return <Button tone="quiet" icon={isFull ? "shrink" : "expand"} label={label} onClick={toggle} />;
}
