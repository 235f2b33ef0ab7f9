import {
  applyDocumentTheme,
  applyHostFonts,
  applyHostStyleVariables,
  type McpUiHostContext,
} from "@modelcontextprotocol/ext-apps";

/** Take over the host's colors, fonts, and its choice of dark or light. Without them, style.css has its own. */
export function applyTheme(context: McpUiHostContext): void {
  if (context.theme) applyDocumentTheme(context.theme);
  if (context.styles?.variables) applyHostStyleVariables(context.styles.variables);
  if (context.styles?.css?.fonts) applyHostFonts(context.styles.css.fonts);
  const insets = context.safeAreaInsets;
  if (insets) {
    const { top, right, bottom, left } = insets;
    document.documentElement.style.setProperty("--safe-area", `${top}px ${right}px ${bottom}px ${left}px`);
  }
}
