// A run as the page knows it: what the server told first, and what it told since. It holds no more than the server's
// feed shows, however long the page is open (`pipeline/watch/feed.py`).

export class Run {
  constructor(name) {
    this.name = name;
    this.#forget();
  }

  /** Take what is new; see `Feed.news`. */
  take(news) {
    if (news.reset) this.#forget();
    this.numVisits = news.num_visits;
    for (const visit of news.visits ?? []) this.visits.set(visit.index, visit);
    for (const { visit, updates_per_point: k, first, columns } of news.curves ?? []) {
      this.curves.set(visit, { ...joined(this.curves.get(visit), first, columns), updatesPerPoint: k });
    }
    for (const index of [...this.visits.keys()]) {
      if (index < news.first_visit) {
        this.visits.delete(index);
        this.curves.delete(index);
      }
    }
    if (news.timeline) this.timeline = joined(this.timeline, news.timeline.first, news.timeline.columns);
    this.marks = news.marks ?? this.marks;
    this.now = news.now ?? this.now;
  }

  #forget() {
    this.visits = new Map();
    this.curves = new Map();
    this.timeline = null;
    this.marks = [];
    this.now = null;
    this.numVisits = 0;
  }
}

/** Columns with new ones from `first` on. */
function joined(known, first, columns) {
  const of = (name, values) => (known && first ? [...known[name].slice(0, first), ...values] : values);
  return Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, of(name, values)]));
}
