// What stands between the engine and the functions of the user, inside of V8.
//
// Evaluated once per isolate, before any user code. Every built-in that is needed later is captured
// here, so that a file which redefines JSON or Array.prototype breaks itself and not the transport.
// All of it is strict code in one closure: a stack trace or `caller` leads no user code into it.
// The value of this script is an object of functions that only the engine holds.
(function () {
'use strict';
const { parse, stringify, rawJSON } = JSON;
const { isArray } = Array;
const { keys, getPrototypeOf, setPrototypeOf, is, freeze } = Object;
const { apply, construct, set, ownKeys, defineProperty, deleteProperty, getOwnPropertyDescriptor } = Reflect;
const MakeFunction = Function;
const DateOf = Date;
const Text = String;
const BigIntOf = BigInt;
const { asIntN } = BigInt;
const { imul } = Math;
const world = globalThis;
const plainEval = eval;
const bind = Function.prototype.call.bind.bind(Function.prototype.call);
const substring = bind(String.prototype.substring);
const startsWith = bind(String.prototype.startsWith);
const includes = bind(String.prototype.includes);
const charCode = bind(String.prototype.charCodeAt);
const isWellFormed = bind(String.prototype.isWellFormed);
const toWellFormed = bind(String.prototype.toWellFormed);
const sourceOf = bind(Function.prototype.toString);
const tagOf = bind(Object.prototype.toString);
const exponential = bind(Number.prototype.toExponential);
const timeOf = bind(Date.prototype.getTime);
const isoOf = bind(Date.prototype.toISOString);
const dateText = bind(Date.prototype.toString);
const plainToJSON = bind(Date.prototype.toJSON);
const matchAt = bind(RegExp.prototype.exec);
const OBJECT = Object.prototype;
const ARRAY = Array.prototype;
const DATE = Date.prototype;
const ERROR = Error;
const RangeErrorOf = RangeError;
const MARK = '\ufdd0';
const FIRST_TIME = -62135596800000, LAST_TIME = 253402300799999;
const INTEGERS_END = 2 ** 63, DIGITS_END = 1e21;
const LONGEST = 2 ** 29 - 64;
// the tags of transport.py; the loop itself writes 1 for a number and 2 for a text
const DATE_TIME = 4, BIT = 5, RECORD = 6, LIST = 7, JSON_TEXT = 8, BIG = 9;

// No timers (nothing waits for them), no shared memory, no machine code.
for (const name of ['__timer_manager', 'setTimeout', 'clearTimeout', 'WebAssembly', 'Atomics',
                    'SharedArrayBuffer']) {
  if (!deleteProperty(world, name)) set(world, name, undefined);
}

// A few built-in steps abort the whole process when they are given too much: filling a sparse array
// of a billion places, cutting a text into more pieces than an array has room for. Neither a time
// nor a memory limit can interrupt them, so they refuse such sizes.
const LONGEST_ARRAY = 2 ** 25;
const guarded = (plain, listOf) => ({ method(a, b, c) {
  const list = listOf(this, a, b);
  if (list !== null && list !== undefined && list.length > LONGEST_ARRAY) {
    throw new RangeErrorOf('Invalid array length');
  }
  return plain(this, a, b, c);
} }.method);
const itself = (self) => self, first = (_, given) => given;
for (const [owner, name, listOf] of [
  [ARRAY, 'fill', itself], [Array, 'from', first], [JSON, 'parse', first],
  [String.prototype, 'split', itself], [String.prototype, 'match', itself],
  [RegExp.prototype, Symbol.match, first], [RegExp.prototype, Symbol.split, first],
  // a text put in place of each match is made piece by piece; calls of a function are collected
  [RegExp.prototype, Symbol.replace, (_, text, by) => (typeof by === 'function' ? text : null)],
]) {
  defineProperty(owner, name, {
    configurable: true, enumerable: false, writable: true, value: guarded(bind(owner[name]), listOf),
  });
}

// A Date inside of a record must be told from a string afterwards: while a result is written,
// toJSON puts a mark before the text. User code sees the method it knows.
let marking = false;
defineProperty(DATE, 'toJSON', {
  configurable: true, enumerable: false, writable: true,
  value: { toJSON(key) {
    if (!marking) return plainToJSON(this, key);
    checkTime(timeOf(this));
    return MARK + isoOf(this);
  } }.toJSON,
});

/** Return an empty list without a prototype: no setter or toJSON of the user's is found there. */
function bare() { return setPrototypeOf([], null); }

// -- errors -----------------------------------------------------------------------------------

const MISFIT = { __proto__: null };  // thrown for a result that has no SQL type; `problem` says why
let problem = '';
function misfit(text) { problem = text; throw MISFIT; }

function short(text) {
  const cut = text.length > 300 ? substring(text, 0, 297) + '...' : text;
  return toWellFormed(cut);
}

/** Return what was thrown as one line, whatever it is and whatever it does when it is read. */
function sentence(thrown) {
  try {
    if (typeof thrown === 'string') return short('threw the text ' + stringify(thrown));
    if (thrown instanceof ERROR) {
      return short(Text(thrown.name) + (thrown.message === '' ? '' : ': ' + Text(thrown.message)));
    }
    if (typeof thrown === 'object' && thrown !== null) return short('threw ' + stringify(thrown));
    if (typeof thrown === 'function') return 'threw a function';
    return short('threw ' + Text(thrown));
  } catch { return 'threw a value that cannot be shown'; }
}

function stackOf(thrown) {
  try {
    const stack = typeof thrown === 'object' && thrown !== null ? thrown.stack : '';
    return typeof stack === 'string' ? toWellFormed(substring(stack, 0, 4000)) : '';
  } catch { return ''; }
}

function failure(thrown, row) {
  marking = false;
  const known = thrown === MISFIT;
  return stringify({
    __proto__: null, row, misfit: known,
    message: known ? short(problem) : sentence(thrown), stack: known ? '' : stackOf(thrown),
  });
}

// -- results ----------------------------------------------------------------------------------

function checkTime(time) {
  if (time - time !== 0) misfit('an invalid Date');
  if (time < FIRST_TIME || time > LAST_TIME) misfit('a Date outside of the years 1 to 9999');
}

function checkNumber(value) {
  misfit(value !== value ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity');
}

function named(object) {
  const tag = tagOf(object);
  return substring(tag, 8, tag.length - 1);
}

/** Refuse an object that is no plain record: what JSON would write of it is not what it holds. */
function checkKind(object) {
  const kind = object instanceof ERROR ? 'Error' : named(object);
  if (kind === 'Error') misfit('an Error object (' + sentence(object) + ')');
  if (kind === 'Promise') misfit('a Promise: an async function cannot be called from a query');
  if (kind !== 'Object') misfit(kind === 'Arguments' ? 'an arguments object' : 'a ' + kind + ' object');
}

/** Refuse what JSON would leave out or blur without a word; tell whether long integers are there. */
function inspect(value, place) {
  switch (typeof value) {
    case 'number':
      if (value - value !== 0) misfit(Text(value) + place);
      return value >= INTEGERS_END && value < DIGITS_END || value < -INTEGERS_END && value > -DIGITS_END;
    case 'object': {
      if (value === null) return false;
      let long = false;
      if (isArray(value)) {
        for (let i = 0; i < value.length; i++) {
          const inner = value[i];
          if (typeof inner !== 'string') long = inspect(inner, ' inside of an array') || long;
        }
        return long;
      }
      const prototype = getPrototypeOf(value);
      if (prototype === DATE || typeof value.toJSON === 'function') return false;
      if (prototype !== OBJECT && prototype !== null) checkKind(value);
      const names = keys(value);
      for (let i = 0; i < names.length; i++) {
        const inner = value[names[i]];
        if (typeof inner !== 'string') long = inspect(inner, ' in field ' + names[i]) || long;
      }
      return long;
    }
    case 'function': case 'symbol': return misfit('a ' + typeof value + place);
    case 'bigint': return misfit('a BigInt' + place);
    default: return false;
  }
}

/** JSON.stringify writes 2^63 and more as digits, which read back as an integer out of range. */
function writeLong(key, value) {
  return typeof value === 'number' && (value >= INTEGERS_END || value < -INTEGERS_END)
    ? rawJSON(exponential(value)) : value;
}

const ESCAPES = /\\(?:u[dD][89a-fA-F][0-9a-fA-F]{2}|[^])/g;

/** Replace the escapes of lone surrogates, which are no text, by the replacement character. */
function cleanEscapes(json) {
  let out = '', from = 0, found;
  ESCAPES.lastIndex = 0;
  while ((found = matchAt(ESCAPES, json)) !== null) {
    if (found[0].length < 3) continue;
    out += substring(json, from, found.index) + '\ufffd';
    from = found.index + found[0].length;
  }
  return out + substring(json, from);
}

/** Return the JSON text of an object or array. */
function written(value) {
  let json;
  marking = true;
  try { json = stringify(value); } catch (thrown) {
    marking = false;
    if (thrown === MISFIT) throw thrown;
    if (isArray(value) || typeof value === 'object') explain(value);
    throw thrown;
  }
  marking = false;
  if (inspect(value, '')) {
    marking = true;
    json = stringify(value, writeLong);
    marking = false;
  }
  if (typeof json !== 'string') misfit('an object whose toJSON gives nothing');
  return includes(json, '\\ud') ? cleanEscapes(json) : json;
}

/** Find out why an object could not be written: a BigInt inside, or a ring of references. */
function explain(value) {
  const open = bare();
  let steps = 0;
  (function walk(inner, depth) {
    if (typeof inner === 'bigint') misfit('a BigInt inside of a record or array');
    if (typeof inner !== 'object' || inner === null || steps++ > 10000) return;
    for (let i = 0; i < depth; i++) if (open[i] === inner) misfit('an object that contains itself');
    if (depth > 500) return;
    open[depth] = inner;
    const names = keys(inner);
    for (let i = 0; i < names.length; i++) walk(inner[names[i]], depth + 1);
  })(value, 0);
}

/** Write a result that is neither number, string nor NULL; return its JSON text or ''. */
function settleResult(value, row, values, bigs, tags) {
  switch (typeof value) {
    case 'boolean':
      values[row] = value ? 1 : 0; tags[row] = BIT; return '';
    case 'bigint':
      if (asIntN(64, value) !== value) misfit('a BigInt beyond 64 bits');
      bigs[row] = value; tags[row] = BIG; return '';
    case 'object': {
      const list = isArray(value);
      if (!list) {
        const prototype = getPrototypeOf(value);
        if (prototype !== OBJECT && prototype !== null) {
          if (prototype === DATE || value instanceof DateOf) {
            const time = timeOf(value);
            checkTime(time);
            values[row] = time; tags[row] = DATE_TIME; return '';
          }
          if (typeof value.toJSON !== 'function') checkKind(value);
        }
      }
      const json = written(value);
      const first = charCode(json, 0);
      if (first === 123) tags[row] = RECORD;
      else if (first === 91) tags[row] = LIST;
      else if (json === 'null') { tags[row] = 0; return ''; }
      else tags[row] = JSON_TEXT;
      return json;
    }
    default:
      return misfit('a ' + typeof value);
  }
}

/** Keep the numbers of an array of `width` numbers, one place after the other; tell whether it is one. */
function keepNumbers(value, list, row, count, width) {
  if (!isArray(value) || value.length !== width || value.toJSON !== undefined) return false;
  for (let i = 0; i < width; i++) {
    const inner = value[i];
    if (typeof inner !== 'number' || inner - inner !== 0) return false;
    list[i * count + row] = inner;
  }
  return true;
}

/** Return the joined results as well-formed text: what is no text cannot leave V8. */
function finish(text, lengths, count) {
  if (isWellFormed(text)) return text;
  let out = '', from = 0;
  for (let row = 0; row < count; row++) {
    out += toWellFormed(substring(text, from, from + lengths[row]));
    from += lengths[row];
  }
  return out;
}

// -- arguments --------------------------------------------------------------------------------

/** Turn marked strings inside of a parsed value into Dates. */
function revive(value) {
  if (typeof value === 'string') {
    return startsWith(value, MARK) ? new DateOf(substring(value, 1)) : value;
  }
  if (typeof value === 'object' && value !== null) {
    const names = keys(value);
    for (let i = 0; i < names.length; i++) {
      const inner = value[names[i]];
      if (typeof inner === 'string' ? startsWith(inner, MARK) : typeof inner === 'object') {
        defineProperty(value, names[i], {
          __proto__: null, value: revive(inner), configurable: true, enumerable: true, writable: true,
        });
      }
    }
  }
  return value;
}

return {
  __proto__: null, parse, stringify, is, apply, construct, freeze, imul, ownKeys, getPrototypeOf,
  defineProperty, deleteProperty, getOwnPropertyDescriptor, MakeFunction, plainEval, world,
  sourceOf, toWellFormed, matchAt, substring, charCode, dateText, sentence, failure, bare,
  setMark(to) { const before = marking; marking = to; return before; },
  loop: {
    __proto__: null, F64: Float64Array, I32: Int32Array, U8: Uint8Array, I64: BigInt64Array,
    DateOf, parse, revive, substring, settleResult, checkNumber, keepNumbers, failure, finish, LONGEST,
    keys, getPrototypeOf, OBJECT, ARRAY,
  },
};
})()
