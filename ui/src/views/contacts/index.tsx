import { Skeleton } from "../../components/states";
import { ViewHeader } from "../../components/view-header";

export function ContactsView() {
  return (
    <>
      <ViewHeader title="Contacts" />
      <Skeleton rows={5} label="Loading" />
    </>
  );
}
