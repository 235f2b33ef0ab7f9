import { useMemo, useState } from "preact/hooks";
import { useHost } from "../../app/host";
import { asFailure, type CallFailed, type Fields } from "../../lib/answer";
import { type Duplicates, type MergeOutcome, readDuplicates, readOutcomes, withoutMerged } from "../../lib/duplicates";

interface DuplicatesState {
  found: Duplicates;
  /** What became of the clusters that were merged here, the latest first. */
  outcomes: readonly MergeOutcome[];
  isLoading: boolean;
  error: CallFailed | null;
  /** Search again: for as many clusters as one answer can have. */
  reload: () => void;
  /** Take over what `merge_contacts` answered. */
  takeMerge: (answer: Fields) => void;
}

const MAX_CLUSTERS = 50; // the server's limit

/** Hold the clusters of the opening call; those that are merged leave them. */
export function useDuplicates(args: Fields, answer: Fields): DuplicatesState {
  const host = useHost();
  const first = useMemo(() => readDuplicates(answer), [answer]);
  const [found, setFound] = useState<Duplicates>(first);
  const [outcomes, setOutcomes] = useState<readonly MergeOutcome[]>([]);
  const [isLoading, setIsLoading] = useState(false);
  const [error, setError] = useState<CallFailed | null>(null);

  const reload = async () => {
    setIsLoading(true);
    setError(null);
    try {
      const { data } = await host.call("find_duplicate_contacts", { ...args, limit: MAX_CLUSTERS });
      setFound(readDuplicates(data));
    } catch (failure) {
      setError(asFailure(failure));
    }
    setIsLoading(false);
  };

  const takeMerge = (merge: Fields) => {
    const next = readOutcomes(merge);
    const merged = new Set(next.map((outcome) => outcome.keepId));
    const rest = withoutMerged(found, next);
    setOutcomes((before) => [...next, ...before.filter((outcome) => !merged.has(outcome.keepId))]);
    setFound(rest);
    if (!rest.clusters.length && rest.total > 0) void reload();
  };

  return { found, outcomes, isLoading, error, reload: () => void reload(), takeMerge };
}
