import { useState } from "preact/hooks";
import { type Contact, describeSelection } from "../lib/contacts";
import { useHost, useHostState } from "./host";

/** Hands contacts that a person has selected to the assistant. */
export interface HandOver {
  /** Whether there is an assistant: a console has none. */
  isOffered: boolean;
  /** The word on its button. */
  label: string;
  isSending: boolean;
  /** Hand contacts over; returns what to tell the person. */
  send: (contacts: readonly Pick<Contact, "id" | "name">[]) => Promise<string>;
}

/** Return how to hand contacts over: as a message in the chat, else for the assistant's next answer. */
export function useHandOver(): HandOver {
  const host = useHost();
  const { canMessage, canTell } = useHostState();
  const [isSending, setIsSending] = useState(false);
  const send: HandOver["send"] = async (contacts) => {
    setIsSending(true);
    const text = describeSelection(contacts);
    const isSent = canMessage && (await host.say(text));
    if (!isSent) await host.tell(text);
    setIsSending(false);
    return isSent ? "Sent to the chat." : "The assistant knows your selection when you write your next message.";
  };
  return { isOffered: canMessage || canTell, label: canMessage ? "Send to the chat" : "Tell the assistant", isSending, send };
}
