import { Skeleton } from "../../components/states";
import { ViewHeader } from "../../components/view-header";

export function PlanView() {
  return (
    <>
      <ViewHeader title="Plan" />
      <Skeleton rows={5} label="Loading" />
    </>
  );
}
