// The loop that computes a user aggregate over ranges of rows, inside of V8.
//
// The body of `(I, user) => batch`, compiled anew for each aggregate and kind of argument: `I` is
// what prelude.js captured, `user` the function whose instances are the states. Before it stand the
// constants KIND (see transport.py), HEADER, MOST_STEPS, SEED, and BY_EVENT: time and chance are
// those of the row at hand (see surroundings.js).
const {
  DateOf, parse, revive, substring, settleResult, checkNumber, failure, finish, keys,
  getPrototypeOf, OBJECT, ARRAY, LONGEST,
} = I;
const CONTINUED = 1, UNFINISHED = 2, SLIDING = 4;
const EXACT = 2 ** 53 - 1, MODEST = 2 ** 31, NEAR = 1e-6, MOST_FIELDS = 64;

function begin() {
  const state = new user();
  if (typeof state.init === 'function') state.init();
  return state;
}

/** Return the function that gives the value of a row. A record is a new object each time: what
 *  user code does to it is not seen by another range. */
function reader(B, at, n, text) {
  const kind = KIND;
  if (kind === 'null') return () => null;
  if (kind === 'text=') return () => text;
  if (kind === 'num=' || kind === 'date=' || kind === 'bit=') {
    const one = new I.F64(B, at, 1)[0];
    return kind === 'num=' ? () => one : kind === 'bit=' ? () => one === 1 : () => new DateOf(one);
  }
  if (kind === 'num?' || kind === 'date?' || kind === 'bit?') {
    const all = new I.F64(B, at, n), missing = new I.U8(B, at + 8 * n, n);
    if (kind === 'num?') return (row) => (missing[row] ? null : all[row]);
    if (kind === 'bit?') return (row) => (missing[row] ? null : all[row] === 1);
    return (row) => (missing[row] ? null : new DateOf(all[row]));
  }
  const lengths = new I.I32(B, at, n), places = new I.I32(n);
  let place = 0;
  for (let row = 0; row < n; row++) {
    places[row] = place;
    if (lengths[row] > 0) place += lengths[row];
  }
  const piece = (row) => substring(text, places[row], places[row] + lengths[row]);
  if (kind === 'text') return (row) => (lengths[row] < 0 ? null : piece(row));
  const dates = kind === 'jsondates' || kind === 'jsondatesbits';
  const bits = kind === 'jsonbits' || kind === 'jsondatesbits';
  return (row) => {
    if (lengths[row] < 0) return null;
    const value = parse(piece(row));
    if (bits && typeof value === 'boolean') return +value;
    return dates ? revive(value) : value;
  };
}

/** Return up to where whole numbers in a state tell that this value went in without rounding. */
function exactUpTo(value) {
  if (value === null) return EXACT;
  if (typeof value !== 'number') return MODEST;
  const part = value % 1, size = part < 0 ? -part : part;
  if (size === 0) return EXACT;
  // such a fraction would show, as long as a sum is small enough to hold it
  return size > NEAR && size < 1 - NEAR ? MODEST : -1;
}

/** Return how many fields a state has; -1 if it holds a fraction, or what cannot be looked at. */
function fieldsOf(state, most, depth) {
  const names = keys(state);
  if (names.length > MOST_FIELDS) return -1;
  let count = 0;
  for (let i = 0; i < names.length; i++) {
    const value = state[names[i]];
    if (typeof value === 'function') continue;
    count++;
    if (typeof value === 'number') {
      if (!(value % 1 === 0 && value <= most && value >= -most)) return -1;
    } else if (typeof value === 'object' && value !== null) {
      const prototype = getPrototypeOf(value);
      if (depth === 0 || (prototype !== OBJECT && prototype !== ARRAY)) return -1;
      const inner = fieldsOf(value, most, depth - 1);
      if (inner < 0) return -1;
      count += inner;
    }
  }
  return count;
}

/**
 * Compute r ranges of n rows; ranges are in order of their start.
 *
 * With SLIDING, a range that overlaps the one before it takes over its state, as long as nobody can
 * tell: sums of whole numbers do not depend on the way they were made, sums of fractions do, in
 * their last digit, and so do lists and dictionaries in their order. Where the state stops to be a
 * fixed set of whole numbers, the rest is computed anew, and head[3] tells so. head[2] is the
 * number of ranges that are done: not all, when they took more steps than one call may.
 */
return function batch() {
  const B = I.memory(), joined = this;
  const head = new I.I32(B, 0, 16), r = head[2], n = head[4], flags = head[5];
  let at = HEADER, text = '', row = 0, i = 0, steps = 0;
  const values = new I.F64(B, at, r), bigs = new I.I64(B, at, r); at += 8 * r;
  const lengths = new I.I32(B, at, r); at += (4 * r + 7) & ~7;
  const tags = new I.U8(B, at, r); at += (r + 7) & ~7;
  const starts = new I.I32(B, at, r); at += (4 * r + 7) & ~7;
  const ends = new I.I32(B, at, r); at += (4 * r + 7) & ~7;
  const times = new I.F64(B, at, n); at += 8 * n;
  let state = null, shape = 0, low = 0, high = 0, sliding = (flags & SLIDING) !== 0;

  // a row is known by its time, and how many rows of its range with that time were before it
  let firsts = null;
  if (BY_EVENT) {
    I.begin(SEED);
    firsts = new I.I32(n);
    for (row = 1; row < n; row++) {
      firsts[row] = times[row] === times[row - 1] ? firsts[row - 1] : row;
    }
    row = 0;
  }
  const place = (row, start) => {
    if (!BY_EVENT) return;
    const first = firsts[row] > start ? firsts[row] : start;
    I.at(times[row], row - first);
  };
  const holds = (some, value) => {
    const count = fieldsOf(some, exactUpTo(value), 2);
    if (shape < 0) shape = count;
    if (count > 0 && count === shape) return true;
    sliding = false;
    return false;
  };
  /** Let rows enter a state that others will leave; return the row at which that ended. */
  const enter = (some, value, from, to, start) => {
    for (row = from; row < to; row++) {
      head[0] = row;
      place(row, start);
      const one = value(row);
      some.accumulate(one, new DateOf(times[row]));
      if (!holds(some, one)) return row + 1;
    }
    return to;
  };
  const leave = (value, from, to) => {
    if (typeof state.deaccumulate !== 'function') {
      const hop = begin();
      if (enter(hop, value, from, to, from) < to || !sliding) return;
      state.deaccumulateState(hop);
      holds(state, null);
      return;
    }
    for (row = from; row < to && sliding; row++) {
      head[0] = row;
      place(row, from);
      const one = value(row);
      state.deaccumulate(one, new DateOf(times[row]));
      holds(state, one);
    }
  };

  try {
    const value = reader(B, at, n, joined);
    for (; i < r && steps <= MOST_STEPS; i++) {
      const start = starts[i], end = ends[i];
      if (start === end) { lengths[i] = 0; continue; }
      let from = start;
      if (sliding && state !== null && start < high && end >= high
          && start - low + end - high < end - start) {
        steps += start - low + end - high;
        enter(state, value, high, end, start);
        if (sliding && start > low) leave(value, low, start);
        if (sliding) from = end;
      }
      if (from < end) {
        steps += end - start;
        row = start;
        head[0] = row;
        if (BY_EVENT) I.at(times[row], -1);
        state = flags & CONTINUED ? I.open : begin();
        shape = -1;
        if (sliding && i + 1 < r && starts[i + 1] < end) from = enter(state, value, start, end, start);
        for (row = from; row < end; row++) {
          head[0] = row;
          place(row, start);
          state.accumulate(value(row), new DateOf(times[row]));
        }
      }
      row = end - 1;
      head[0] = row;
      if (flags & UNFINISHED) { I.open = state; lengths[i++] = 0; break; }
      if (BY_EVENT) I.at(times[row], -2);
      const result = state.computeResult();
      let size = 0;
      if (typeof result === 'number') {
        if (result - result !== 0) checkNumber(result);
        values[i] = result; tags[i] = 1;
      } else if (typeof result === 'string') {
        size = result.length;
        if (text.length + size > LONGEST) { head[1] = 2; break; }
        tags[i] = 2; text += result;
      } else if (result !== null && result !== undefined) {
        const json = settleResult(result, i, values, bigs, tags);
        size = json.length;
        if (text.length + size > LONGEST) { head[1] = 2; break; }
        text += json;
      }
      lengths[i] = size;
      low = start; high = end;
      if (!sliding || i + 1 === r || starts[i + 1] >= end) state = null;
    }
    if (!(flags & UNFINISHED)) I.open = null;
    head[2] = i;
    head[3] = (flags & SLIDING) !== 0 && !sliding ? 1 : 0;
    for (; i < r; i++) { lengths[i] = 0; tags[i] = 0; }
    I.settle();
    return finish(text, lengths, r);
  } catch (thrown) {
    I.open = null;
    head[1] = 1;
    const said = failure(thrown, row);
    I.settle();
    return said;
  }
};
