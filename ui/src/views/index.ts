import type { ComponentType } from "preact";
import { AudienceView } from "./audience";
import { ConsentView } from "./consent";
import { ContactsView } from "./contacts";
import { DuplicatesView } from "./duplicates";
import { PlanView } from "./plan";

/** The views by the name that the server writes into the page's `data-view`. */
export const VIEWS: Readonly<Record<string, ComponentType>> = {
  audience: AudienceView,
  consent: ConsentView,
  contacts: ContactsView,
  duplicates: DuplicatesView,
  plan: PlanView,
};
