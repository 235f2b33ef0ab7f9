/** A value that changes, and those who want to know of it. */
export interface Store<T> {
  get(): T;
  set(value: T): void;
  /** Call a function after each change; returns a function that ends this. */
  subscribe(listener: () => void): () => void;
}

/** Create a store. Setting the value that it has already notifies no listener. */
export function createStore<T>(initial: T): Store<T> {
  let current = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => current,
    set(value) {
      if (Object.is(value, current)) return;
      current = value;
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
