import { useState } from "preact/hooks";
import { useFormat } from "../../app/format";
import { useHost } from "../../app/host";
import { Button } from "../../components/button";
import { ConsentDialog, type DecisionCall } from "../../components/consent";
import { Dialog } from "../../components/dialog";
import { Empty, ErrorNote } from "../../components/states";
import { type Answer, asFailure, type CallFailed } from "../../lib/answer";
import type { Contact } from "../../lib/contacts";
import type { Group } from "./use-contacts";

interface GroupDialogProps {
  contacts: readonly Contact[];
  groups: readonly Group[];
  onClose: () => void;
  /** Called with the sentence that says what was done. */
  onDone: (message: string) => void;
}

/** Adds contacts to a group. */
export function GroupDialog({ contacts, groups, onClose, onDone }: GroupDialogProps) {
  const host = useHost();
  const format = useFormat();
  const [groupId, setGroupId] = useState(groups[0]?.id ?? "");
  const [isAdding, setIsAdding] = useState(false);
  const [error, setError] = useState<CallFailed | null>(null);
  const [call, setCall] = useState<DecisionCall | null>(null);
  const group = groups.find((each) => each.id === groupId);
  const finish = (answer: Answer) => {
    const added = answer.data["added"];
    const number = typeof added === "number" ? added : contacts.length;
    onDone(`${format.count(number, "contact")} added to “${group?.name ?? "the group"}”.`);
  };
  const add = async () => {
    const args = { group_id: groupId, contact_ids: contacts.map((contact) => contact.id) };
    setIsAdding(true);
    setError(null);
    try {
      const answer = await host.call("add_group_members", args);
      if (answer.question) setCall({ tool: "add_group_members", arguments: args, question: answer.question });
      else {
        void host.tell(`In the panel, the person added contacts to the group ${groupId}: ${args.contact_ids.join(", ")}.`);
        finish(answer);
      }
    } catch (failure) {
      setError(asFailure(failure));
    } finally {
      setIsAdding(false);
    }
  };
  if (call) {
    return <ConsentDialog call={call} title="Add to a group" plainQuestion="Add them?" plainYes="Add" onClose={onClose} onDone={finish} />;
  }
  const title = contacts.length === 1 ? `Add “${contacts[0]?.name ?? ""}” to a group` : `Add ${format.count(contacts.length, "contact")} to a group`;
  return (
    <Dialog title={title} onClose={onClose}>
      {groups.length === 0 && <Empty title="There are no groups yet" />}
      <fieldset class="options" disabled={isAdding}>
        <legend class="visually-hidden">Group</legend>
        {groups.map((each) => (
          <label key={each.id} class="check">
            <input type="radio" name="group" checked={each.id === groupId} onChange={() => setGroupId(each.id)} />
            <span class="truncate">
              <bdi>{each.name}</bdi>
            </span>
            {each.member_count !== undefined && <span class="muted number">{format.number(each.member_count)}</span>}
          </label>
        ))}
      </fieldset>
      {error && <ErrorNote title="They were not added" message={error.message} />}
      <div class="buttons end">
        <Button onClick={onClose}>Cancel</Button>
        <Button tone="primary" busy={isAdding} disabled={!groupId} onClick={() => void add()}>
          Add
        </Button>
      </div>
    </Dialog>
  );
}
