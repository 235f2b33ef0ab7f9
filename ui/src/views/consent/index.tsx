import { Skeleton } from "../../components/states";
import { ViewHeader } from "../../components/view-header";

export function ConsentView() {
  return (
    <>
      <ViewHeader title="Consent" />
      <Skeleton rows={5} label="Loading" />
    </>
  );
}
