// What user code finds around it beside the language itself: `console`, and in deterministic jobs
// a clock and a source of random numbers that only know the event at hand.
//
// Called once with what prelude.js captured, before any user code; gives it back with what the
// loops and the engine need of this.
(function (prelude, deterministic) {
'use strict';
const {
  stringify, ownKeys, defineProperty, construct, freeze, imul, world, substring, charCode,
  sentence, dateText, setMark, loop: intrinsics,
} = prelude;
const { DateOf } = intrinsics;
const Text = String, Failure = Error;

// -- console ----------------------------------------------------------------------------------

// Messages lie in a buffer of 16-bit units that the engine reads after each batch, also after one
// that it had to stop: how many units are used, how many messages were too many (two units), how
// many are there, then for each message its level, its length and its text.
const HEADER = 4, LONGEST = 400, MOST = 20;
const said = new Uint16Array(HEADER + MOST * (LONGEST + 2));
const DEBUG = 0, LOG = 1, WARN = 2, ERROR = 3;

function shown(value) {
  switch (typeof value) {
    case 'string': return value;
    case 'object':
      if (value instanceof Failure) return sentence(value);
      try { return stringify(value) || Text(value); } catch { return 'an object that cannot be shown'; }
    case 'function': return 'a function';
    default: return Text(value);
  }
}

function say(level, values, lead = '') {
  if (said[3] >= MOST) {
    said[1] += 1;
    if (said[1] === 0) said[2] += 1;
    return;
  }
  let text = lead;
  // what user code does when it is read (a toJSON) must not see the marks of a result
  const before = setMark(false);
  try {
    for (let i = 0; i < values.length && text.length < LONGEST; i++) {
      text += (i > 0 || lead !== '' ? ' ' : '') + shown(values[i]);
    }
  } catch { text += 'a value that cannot be shown'; }
  setMark(before);
  if (said[3] >= MOST) return;  // the values filled it, when read
  const size = text.length < LONGEST ? text.length : LONGEST;
  let at = HEADER + said[0];
  said[at++] = level;
  said[at++] = size;
  for (let i = 0; i < size; i++) said[at++] = charCode(text, i);
  said[0] = at - HEADER;
  said[3] += 1;
}

const talk = {
  __proto__: null,
  debug(...values) { say(DEBUG, values); },
  log(...values) { say(LOG, values); },
  info(...values) { say(LOG, values); },
  dir(...values) { say(LOG, values); },
  table(...values) { say(LOG, values); },
  trace(...values) { say(LOG, values); },
  warn(...values) { say(WARN, values); },
  error(...values) { say(ERROR, values); },
  assert(holds, ...values) { if (!holds) say(ERROR, values, 'Assertion failed:'); },
};
// one object for all files, so none may change it; counters, groups and timers say nothing
const console = {};
for (const name of ownKeys(world.console)) {
  if (typeof name === 'string') console[name] = talk[name] || { [name]() {} }[name];
}
for (const name of ownKeys(console)) freeze(console[name]);
freeze(console);
defineProperty(world, 'console', {
  configurable: true, enumerable: false, writable: true, value: console,
});

// -- time and chance ----------------------------------------------------------------------------

// Chance is a function of the file, the time and number of the event, and how often the event asked
// before: it does not matter how events were cut into batches, nor what other events did.
let seed = 0, time = 0, number = 0, draws = 0, one = 0, other = 0;

function mixed(bits) {
  bits ^= bits >>> 16;
  bits = imul(bits, 0x85ebca6b);
  bits ^= bits >>> 13;
  bits = imul(bits, 0xc2b2ae35);
  return bits ^ bits >>> 16;
}

function random() {
  if (draws === 0) {
    one = mixed(seed ^ 0x3c6ef372);
    other = mixed(seed ^ 0x1b873593);
    const high = number / 4294967296, later = time / 4294967296;
    one = mixed(one + (number | 0) | 0); other = mixed(other ^ (number | 0));
    one = mixed(one + (high | 0) | 0); other = mixed(other ^ (high | 0));
    one = mixed(one + (time | 0) | 0); other = mixed(other ^ (time | 0));
    one = mixed(one + (later | 0) | 0); other = mixed(other ^ (later | 0));
  }
  draws++;
  const high = mixed(one + imul(draws, 0x9e3779b9) | 0);
  const low = mixed((other ^ high) + draws | 0);
  return ((high >>> 5) * 67108864 + (low >>> 6)) / 9007199254740992;
}

function bindTime() {
  defineProperty(Math, 'random', {
    configurable: true, enumerable: false, writable: true, value: { random() { return random(); } }.random,
  });
  // the parameters are there for its length
  function Bound(_year, _month, _date, _hours, _minutes, _seconds, _ms) {
    if (new.target === undefined) return dateText(new DateOf(time));
    return construct(DateOf, arguments.length === 0 ? [time] : arguments, new.target);
  }
  for (const name of ownKeys(DateOf)) {
    const found = Object.getOwnPropertyDescriptor(DateOf, name);
    if (name === 'now') found.value = { now() { return time; } }.now;
    defineProperty(Bound, name, found);
  }
  const hidden = { configurable: true, enumerable: false, writable: true };
  defineProperty(DateOf.prototype, 'constructor', { ...hidden, value: Bound });
  defineProperty(world, 'Date', { ...hidden, value: Bound });
  if (typeof Temporal === 'object') bindTemporal(hidden);
  if (typeof Intl === 'object') bindFormats(hidden);
}

function bindTemporal(hidden) {
  const { fromEpochMilliseconds } = Temporal.Instant;
  const zoned = Function.prototype.call.bind(Temporal.Instant.prototype.toZonedDateTimeISO);
  const methods = Temporal.ZonedDateTime.prototype;
  const call = Function.prototype.call.bind.bind(Function.prototype.call);
  const instant = () => fromEpochMilliseconds(time);
  const now = { instant() { return instant(); }, timeZoneId() { return 'UTC'; } };
  now.zonedDateTimeISO = (zone = 'UTC') => zoned(instant(), zone);
  for (const part of ['DateTime', 'Date', 'Time']) {
    const cut = call(methods[`toPlain${part}`]);
    now[`plain${part}ISO`] = (zone = 'UTC') => cut(zoned(instant(), zone));
  }
  for (const name of ownKeys(now)) {
    defineProperty(Temporal.Now, name, { ...hidden, value: now[name] });
  }
}

/** A format of dates takes the time of now where it is given none. */
function bindFormats(hidden) {
  const formats = Intl.DateTimeFormat.prototype;
  const call = Function.prototype.call.bind.bind(Function.prototype.call);
  const formatOf = call(Object.getOwnPropertyDescriptor(formats, 'format').get);
  const parts = call(formats.formatToParts);
  const moment = (date) => (date === undefined ? time : date);
  defineProperty(formats, 'format', {
    configurable: true, enumerable: false, set: undefined,
    get() { const format = formatOf(this); return (date) => format(moment(date)); },
  });
  defineProperty(formats, 'formatToParts', {
    ...hidden, value: { formatToParts(date) { return parts(this, moment(date)); } }.formatToParts,
  });
}

if (deterministic) bindTime();

/** What follows belongs to this file or function, and to no event yet. */
intrinsics.begin = (mine) => { seed = mine; time = 0; number = 0; draws = 0; };
/** What follows belongs to this event. */
intrinsics.at = (when, which) => { time = when; number = which; draws = 0; };

return {
  __proto__: null, ...prelude,
  /** The buffer of messages. */
  said: () => said.buffer,
  /** Forget what was said: a file runs twice to find out which names it leaves undeclared. */
  forget() { said[0] = said[1] = said[2] = said[3] = 0; },
};
})
