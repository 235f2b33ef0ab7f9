import type { ButtonHTMLAttributes, ComponentChildren, Ref } from "preact";
import { Icon, type IconName } from "./icon";

interface ButtonProps {
  children?: ComponentChildren;
  onClick?: (event: MouseEvent) => void;
  /** `primary` for the main action, `danger` for one that destroys, `quiet` without a border. */
  tone?: "plain" | "primary" | "danger" | "quiet";
  small?: boolean;
  icon?: IconName;
  /** The name that a screen reader says; required if there is only an icon. */
  label?: string;
  disabled?: boolean;
  /** Shows that the action runs; the button does nothing until it is over. */
  busy?: boolean;
  pressed?: boolean;
  /** `submit` sends the form around it, also by the Enter key. */
  type?: "button" | "submit";
  buttonRef?: Ref<HTMLButtonElement>;
}

/** A button. While busy it keeps the focus, so that the keyboard does not lose its place. */
export function Button(props: ButtonProps) {
  const { children, onClick, tone = "plain", small = false, icon, label, disabled = false, busy = false } = props;
  const classes = ["button", tone, small && "small", icon && !children && "icon-only"].filter(Boolean).join(" ");
  const attributes: ButtonHTMLAttributes<HTMLButtonElement> = {
    type: props.type ?? "button",
    class: classes,
    disabled,
    "aria-busy": busy,
    "aria-disabled": busy || undefined,
  };
  if (label !== undefined) attributes["aria-label"] = label;
  if (label !== undefined && !children) attributes.title = label;
  if (props.pressed !== undefined) attributes["aria-pressed"] = props.pressed;
  const click = (event: MouseEvent) => {
    if (busy) event.preventDefault();
    else onClick?.(event);
  };
  return (
    <button {...attributes} ref={props.buttonRef ?? null} onClick={click}>
      {busy ? <span class="spinner" aria-hidden="true" /> : icon && <Icon name={icon} />}
      {children && <span>{children}</span>}
    </button>
  );
}
