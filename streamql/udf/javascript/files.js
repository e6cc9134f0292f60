// How a file of the user becomes functions inside of V8, each file in a closure of its own.
//
// Called once with what prelude.js captured, before any user code. The value is an object of
// functions that only the engine holds.
(function (prelude) {
'use strict';
const {
  parse, stringify, is, apply, ownKeys, getPrototypeOf, defineProperty, deleteProperty,
  getOwnPropertyDescriptor, MakeFunction, plainEval, world, sourceOf, toWellFormed, matchAt,
  failure, said, forget, bare, loop: intrinsics,
} = prelude;

const before = { __proto__: null };
for (const name of ownKeys(world)) {
  before[name] = { __proto__: null, ...getOwnPropertyDescriptor(world, name) };
}
const beforeNames = ownKeys(before);

const NAME = /^[A-Za-z_$][A-Za-z0-9_$]*$/;
function isName(key) { return typeof key === 'string' && matchAt(NAME, key) !== null; }

/** Put the global object back as it was; return the names that user code had set, and the
 *  values a file may expect there: those it gave to new names, the built-in ones of others. */
function settle() {
  const names = bare(), values = bare();
  const now = ownKeys(world);
  let count = 0;
  const note = (name, value) => {
    if (isName(name)) { names[count] = name; values[count++] = value; }
  };
  for (let i = 0; i < now.length; i++) {
    if (now[i] in before) continue;
    const found = getOwnPropertyDescriptor(world, now[i]);
    if (found !== undefined) note(now[i], found.value);
    deleteProperty(world, now[i]);
  }
  for (let i = 0; i < beforeNames.length; i++) {
    const name = beforeNames[i], old = before[name], found = getOwnPropertyDescriptor(world, name);
    if (found !== undefined && is(found.value, old.value)) continue;
    note(name, old.value);
    if (old.configurable || old.writable) defineProperty(world, name, old);
  }
  return { __proto__: null, names, values };
}

const entries = { __proto__: null };

/** Compile a file without running it: a syntax error is thrown with its place. */
function check(source) { new MakeFunction(source); }

/** Throw the syntax error of a file read as a script, or 0: nothing of it is run. */
function place(source) { plainEval('throw 0;\n' + source); }

/**
 * Run a file in a function of its own, and keep the functions among its `names`. `library` is what
 * runs before it, in the function around it: the file sees its names, and may have the same ones.
 * Names the file set without declaring them become variables of that function in a second run.
 */
function load(id, seed, library, source, names, url) {
  const wanted = parse(names);
  let tail = '\n;return {__proto__:null';
  for (let i = 0; i < wanted.length; i++) {
    const name = wanted[i];
    const other = name in before ? ' && ' + name + ' !== globalThis.' + name : '';
    tail += ',' + name + ': typeof ' + name + " === 'function'" + other + ' ? ' + name + ' : null';
  }
  tail += '};\n';
  const inner = library === '' ? source + tail
    : library + 'return (function () {\n' + source + tail + '}());\n';
  const body = inner + '//# sourceURL=' + url;
  intrinsics.begin(seed);
  try {
    let made = new MakeFunction(body)();
    const { names: leaked, values } = settle();
    if (leaked.length) {
      let outer = leaked[0];
      for (let i = 1; i < leaked.length; i++) outer += ',' + leaked[i];
      forget();
      intrinsics.begin(seed);
      // the outer names are parameters of the same function: lines stay where they are
      made = apply(new MakeFunction(outer, body), undefined, values);
      settle();
    }
    if (typeof made !== 'object' || made === null || getPrototypeOf(made) !== null) {
      return stringify({ __proto__: null, functions: null });
    }
    const functions = bare();
    for (let i = 0; i < wanted.length; i++) {
      const f = made[wanted[i]];
      if (typeof f !== 'function') continue;
      const text = toWellFormed(sourceOf(f));
      const length = typeof f.length === 'number' ? f.length : 0;
      functions[functions.length] = { __proto__: null, name: wanted[i], text, length };
    }
    entries[id] = made;
    return stringify({ __proto__: null, functions });
  } catch (thrown) {
    settle();
    return stringify({ __proto__: null, failure: failure(thrown, 0) });
  }
}

// The buffer that both sides see. The loops get it from here, user code has no way to it.
const Buffer = ArrayBuffer;
let buffer = new Buffer(64);
intrinsics.memory = () => buffer;
intrinsics.settle = settle;

/** The arguments of the engine's next call, put there one by one. A list of arguments would be made
 *  with Array.prototype.push, which is the user's to change. */
const box = bare();
intrinsics.box = box;

/** Return a function that takes its arguments from the box. */
function handed(f) {
  return () => { try { return apply(f, undefined, box); } finally { box.length = 0; } };
}

return {
  __proto__: null, box, said, check: handed(check), place: handed(place), load: handed(load),
  memory: handed((size) => { buffer = new Buffer(size); return buffer; }),
  loop: handed((id, name, source) => new MakeFunction('I', 'user', source)(intrinsics, entries[id][name])),
};
})
