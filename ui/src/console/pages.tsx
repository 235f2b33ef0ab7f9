import type { ComponentChildren } from "preact";
import type { IconName } from "../components/icon";
import { ApprovalsView } from "../views/approvals";
import { AuditView } from "../views/audit";
import { BackupsView } from "../views/backups";
import { DeletedView } from "../views/deleted";
import { ReceiptsView } from "../views/receipts";
import { AudiencePage } from "./pages/audience";
import { ImportPage } from "./pages/import";
import { ToolPage } from "./pages/tool-page";

/** What a page gets: the tools that the person may use, and where to report how many questions wait. */
export interface PageProps {
  tools: ReadonlySet<string>;
  onApprovals: (count: number) => void;
}

/** A page of the console; it is there if the person may use `tool`. */
export interface Page {
  id: string;
  title: string;
  icon: IconName;
  tool: string;
  render: (props: PageProps) => ComponentChildren;
}

const NO_ARGUMENTS = {};

/** All pages, in the order of the navigation; a gap separates the groups. */
export const PAGES: readonly (readonly Page[])[] = [
  [
    {
      id: "contacts",
      title: "Contacts",
      icon: "person",
      tool: "show_contacts",
      render: () => <ToolPage title="Contacts" view="contacts" tool="show_contacts" arguments={NO_ARGUMENTS} />,
    },
    { id: "import", title: "Import", icon: "save", tool: "import_contacts", render: () => <ImportPage /> },
    {
      id: "duplicates",
      title: "Duplicates",
      icon: "merge",
      tool: "find_duplicate_contacts",
      render: () => <ToolPage title="Duplicates" view="duplicates" tool="find_duplicate_contacts" arguments={NO_ARGUMENTS} />,
    },
    { id: "audience", title: "Groups and audience", icon: "group", tool: "check_group_audience", render: () => <AudiencePage /> },
    {
      id: "deleted",
      title: "Deleted",
      icon: "trash",
      tool: "list_deleted_contacts",
      render: ({ tools }) => <DeletedView canRestore={tools.has("restore_contact")} />,
    },
  ],
  [
    {
      id: "approvals",
      title: "Approvals",
      icon: "check",
      tool: "list_approvals",
      render: ({ onApprovals }) => <ApprovalsView onCount={onApprovals} />,
    },
    { id: "audit", title: "Audit trail", icon: "list", tool: "read_audit_trail", render: () => <AuditView /> },
    {
      id: "receipts",
      title: "Receipts",
      icon: "note",
      tool: "list_receipts",
      render: ({ tools }) => <ReceiptsView canOpen={tools.has("get_receipt")} />,
    },
    { id: "backups", title: "Backups", icon: "box", tool: "list_backups", render: () => <BackupsView /> },
  ],
];

/** Return the page of an address's fragment, or the first one that the person may use. */
export function pageOf(fragment: string, tools: ReadonlySet<string>): Page | undefined {
  const usable = PAGES.flat().filter((page) => tools.has(page.tool));
  return usable.find((page) => `#${page.id}` === fragment) ?? usable[0];
}
