import { render } from "preact";
import { connectToHost } from "./app/connection";
import { HostProvider } from "./app/host";
import { Shell } from "./app/shell";
import "./style.css";

const root = document.getElementById("app");
if (!root) throw new Error("the page has no element for the app");

const host = connectToHost();
render(
  <HostProvider value={host}>
    <Shell view={document.documentElement.dataset["view"] ?? ""} />
  </HostProvider>,
  root,
);
