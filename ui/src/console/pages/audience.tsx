import { useState } from "preact/hooks";
import { useFormat } from "../../app/format";
import { useHost } from "../../app/host";
import { useLoad } from "../../app/use-load";
import { Button } from "../../components/button";
import { Empty, ErrorNote, Skeleton } from "../../components/states";
import type { Answer, Fields } from "../../lib/answer";
import { ViewHeader } from "../../components/view-header";
import { ToolPage } from "./tool-page";

interface Group {
  id: string;
  name?: string;
  description?: string;
  member_count?: number;
}

interface GroupPage {
  groups: Group[];
  next_page?: number;
}

const PAGE_SIZE = 100;
const MAX_PAGES = 50;

/** All groups; one of them opens whom a message to it would reach. */
export function AudiencePage() {
  const [group, setGroup] = useState<Group | null>(null);
  if (group) {
    return (
      <div class="with-bar">
        <div class="page-bar">
          <Button small tone="quiet" icon="back" onClick={() => setGroup(null)}>
            All groups
          </Button>
          <span class="muted truncate">{group.name}</span>
        </div>
        <ToolPage title="Audience" view="audience" tool="check_group_audience" arguments={{ group_id: group.id }} />
      </div>
    );
  }
  return <Groups onOpen={setGroup} />;
}

function Groups({ onOpen }: { onOpen: (group: Group) => void }) {
  const host = useHost();
  const format = useFormat();
  const [loaded, reload] = useLoad(async (signal) => {
    const groups: Group[] = [];
    let page: number | undefined = 1;
    for (let count = 0; page && count < MAX_PAGES; count += 1) {
      const args: Fields = { page, per_page: PAGE_SIZE };
      const { data }: Answer<GroupPage> = await host.call<GroupPage>("list_contact_groups", args, { signal });
      groups.push(...data.groups);
      page = data.next_page;
    }
    return groups;
  }, []);
  const groups = loaded.value;
  const hasDescriptions = groups?.some((group) => group.description) ?? false;
  return (
    <div class="shell fullscreen">
      <ViewHeader title="Groups and audience" subtitle="Open a group to see whom an SMS to it reaches.">
        <Button tone="quiet" icon="refresh" label="Load again" onClick={reload} />
      </ViewHeader>
      {loaded.status === "error" && <ErrorNote title="The groups cannot be read" message={loaded.error.message} onRetry={reload} />}
      {!groups && loaded.status === "loading" && <Skeleton rows={6} label="Loading groups" />}
      {groups?.length === 0 && (
        <Empty title="There are no groups">
          <p>An import can fill a new group.</p>
        </Empty>
      )}
      {groups && groups.length > 0 && (
        <div class="scroll">
          <table class="table">
            <thead>
              <tr>
                <th>Group</th>
                {hasDescriptions && <th>Description</th>}
                <th class="number">Members</th>
              </tr>
            </thead>
            <tbody>
              {groups.map((group) => (
                <tr key={group.id}>
                  <td>
                    <button type="button" class="link" onClick={() => onOpen(group)}>
                      <bdi>{group.name ?? "Group without a name"}</bdi>
                    </button>
                  </td>
                  {hasDescriptions && (
                    <td class="muted">
                      <bdi>{group.description}</bdi>
                    </td>
                  )}
                  <td class="number">{format.number(group.member_count ?? 0)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}
