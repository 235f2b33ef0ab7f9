import { render } from "preact";
import { HostProvider } from "../app/host";
import "../style.css";
import "./console.css";
import { ConsoleApp } from "./app";
import { createConnection } from "./connection";
import { ConnectionProvider } from "./context";

const root = document.getElementById("app");
if (!root) throw new Error("the page has no element for the app");

const { place, backend } = document.documentElement.dataset;
const isOnThisComputer = place === "computer";
const connection = createConnection(isOnThisComputer);
render(
  <ConnectionProvider value={connection}>
    <HostProvider value={connection.host}>
      <ConsoleApp isOnThisComputer={isOnThisComputer} backend={backend ?? ""} />
    </HostProvider>
  </ConnectionProvider>,
  root,
);
void connection.connect();
