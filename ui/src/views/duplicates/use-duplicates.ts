import { useMemo, useState } from "preact/hooks";
import { useHost } from "../../app/host";
import { asFailure, type CallFailed, type Fields } from "../../lib/answer";
import { appendPage, type Duplicates, type MergeOutcome, readDuplicates, readOutcomes, withoutMerged } from "../../lib/duplicates";

interface DuplicatesState {
  found: Duplicates;
  /** What became of the clusters that were merged here, the latest first. */
  outcomes: readonly MergeOutcome[];
  isLoading: boolean;
  error: CallFailed | null;
  /** Search again, and show the first page. */
  reload: () => void;
  /** Show the next page too. */
  loadMore: () => void;
  /** Take over what `merge_contacts` answered. */
  takeMerge: (answer: Fields) => void;
}

const PAGE_SIZE = 50; // the server's limit

/** Hold the clusters of the opening call; those that are merged leave them. */
export function useDuplicates(args: Fields, answer: Fields): DuplicatesState {
  const host = useHost();
  const first = useMemo(() => readDuplicates(answer), [answer]);
  const [found, setFound] = useState<Duplicates>(first);
  const [outcomes, setOutcomes] = useState<readonly MergeOutcome[]>([]);
  const [isLoading, setIsLoading] = useState(false);
  const [error, setError] = useState<CallFailed | null>(null);

  const load = async (offset: number) => {
    const { data } = await host.call("list_duplicates", { ...args, offset, limit: PAGE_SIZE });
    return readDuplicates(data);
  };
  const run = async (work: () => Promise<Duplicates>) => {
    setIsLoading(true);
    setError(null);
    try {
      setFound(await work());
    } catch (failure) {
      setError(asFailure(failure));
    }
    setIsLoading(false);
  };
  const reload = () => run(() => load(0));
  // The answer that opened the view has no further pages: its first clusters are searched again.
  const loadMore = (before: Duplicates) =>
    run(async () => {
      if (!before.search) return load(0);
      const page = await load(before.loaded);
      return page.search === before.search ? appendPage(before, page) : load(0); // the search was forgotten by now
    });

  const takeMerge = (merge: Fields) => {
    const next = readOutcomes(merge);
    const merged = new Set(next.map((outcome) => outcome.keepId));
    const rest = withoutMerged(found, next);
    setOutcomes((before) => [...next, ...before.filter((outcome) => !merged.has(outcome.keepId))]);
    setFound(rest);
    if (!rest.clusters.length && rest.total > 0) void loadMore(rest);
  };

  return { found, outcomes, isLoading, error, reload: () => void reload(), loadMore: () => void loadMore(found), takeMerge };
}
