import type { ComponentType } from "preact";
import { ConsentView } from "./consent";
import { ContactsView } from "./contacts";
import { PlanView } from "./plan";

/** The views by the name that the server writes into the page's `data-view`. */
export const VIEWS: Readonly<Record<string, ComponentType>> = {
  consent: ConsentView,
  contacts: ContactsView,
  plan: PlanView,
};
