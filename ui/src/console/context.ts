import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Connection } from "./connection";

const ConnectionContext = createContext<Connection | null>(null);

export const ConnectionProvider = ConnectionContext.Provider;

/** Return the connection to the server. Only inside of ConnectionProvider. */
export function useConnection(): Connection {
  const connection = useContext(ConnectionContext);
  if (!connection) throw new Error("useConnection needs a ConnectionProvider");
  return connection;
}
