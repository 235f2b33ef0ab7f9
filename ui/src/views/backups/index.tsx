import { useFormat } from "../../app/format";
import { useHost } from "../../app/host";
import { useLoad } from "../../app/use-load";
import { Button } from "../../components/button";
import { Empty, ErrorNote, Skeleton } from "../../components/states";
import { ViewHeader } from "../../components/view-header";
import { createBytes } from "../../lib/bytes";

interface Backup {
  name: string;
  bytes: number;
  written_at: string;
}

interface BackupList {
  backups: Backup[];
  more: number;
  reason?: string;
}

/** The backups of the directory, the newest first. */
export function BackupsView() {
  const host = useHost();
  const format = useFormat();
  const { locale } = host.state.get();
  const [loaded, reload] = useLoad((signal) => host.call<BackupList>("list_backups", {}, { signal }), []);
  const list = loaded.value?.data;
  return (
    <div class="shell fullscreen">
      <ViewHeader title="Backups" subtitle="A backup holds every contact: keep it as safe as the directory.">
        <Button tone="quiet" icon="refresh" label="Load again" onClick={reload} />
      </ViewHeader>
      {loaded.status === "error" && <ErrorNote title="The backups cannot be listed" message={loaded.error.message} onRetry={reload} />}
      {!list && loaded.status === "loading" && <Skeleton rows={5} label="Loading backups" />}
      {list?.backups.length === 0 && (
        <Empty title={list.reason ? "Backups are not listed here" : "The folder has no backup"}>
          <p>{list.reason ?? "An operator writes one with `contacts-mcp directory backup`."}</p>
        </Empty>
      )}
      {list && list.backups.length > 0 && (
        <div class="scroll">
          <table class="table">
            <thead>
              <tr>
                <th>File</th>
                <th>Written</th>
                <th class="number">Size</th>
              </tr>
            </thead>
            <tbody>
              {list.backups.map((backup) => (
                <tr key={backup.name}>
                  <td class="mono">
                    <bdi>{backup.name}</bdi>
                  </td>
                  <td class="nowrap">{format.dateTime(backup.written_at)}</td>
                  <td class="number">{createBytes(locale)(backup.bytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {list.more > 0 && <p class="more muted">and {format.count(list.more, "older file")}</p>}
        </div>
      )}
    </div>
  );
}
