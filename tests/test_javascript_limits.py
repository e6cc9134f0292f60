"""JavaScript that fails: exceptions, limits in time and memory, and files that mean harm."""

import asyncio
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest
from javascript_calls import ECHO, call, failure

from streamql.column import from_values
from streamql.errors import CompileError, FunctionError
from streamql.udf.javascript import JavaScriptRuntime, load_function
from streamql.udf.javascript import function as function_module

OLD = datetime(1931, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
NEW = datetime(2024, 3, 5, 8, 15, tzinfo=UTC)


def test_an_exception_names_function_row_and_line(runtime):
    source = "function inner(s) {\n  return s.length;\n}\nfunction f(s) { return inner(s); }"
    error = failure(runtime, source, ["a", "b", None, "c"])
    assert error.message == "udf.f: TypeError: Cannot read properties of null (reading 'length')"
    assert error.row == 2
    assert error.hint == "at f.js line 2, column 12\n  |   return s.length;\n  |            ^"


@pytest.mark.parametrize(
    ("thrown", "words"),
    [
        ("null", "threw null"),
        ("undefined", "threw undefined"),
        ("'text'", 'threw the text "text"'),
        ("42", "threw 42"),
        ("({ code: 7 })", 'threw {"code":7}'),
        ("Symbol('s')", "threw Symbol(s)"),
        ("() => 1", "threw a function"),
        ("({ toJSON() { throw 1; } })", "cannot be shown"),
        ("new Proxy({}, { get() { throw 1; }, getPrototypeOf() { throw 1; } })", "cannot be shown"),
        ("Object.assign(new Error('x'), { stack: { a: 1 } })", "Error: x"),
        (r"new Error('\ud83d half')", "Error: \ufffd half"),
        ("new Error('long '.repeat(1e6))", "Error: long long"),
    ],
)
def test_whatever_is_thrown(runtime, thrown, words):
    error = failure(runtime, f"function f() {{ throw {thrown}; }}")
    assert words in error.message
    assert len(error.message) < 400
    assert error.row == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return f(x);", "RangeError: Maximum call stack size exceeded"),
        ("return { get a() { throw new Error('getter'); } };", "Error: getter"),
        ("return { toJSON() { throw new Error('toJSON'); } };", "Error: toJSON"),
        ("return new Proxy({}, { ownKeys() { throw new Error('trap'); } });", "Error: trap"),
        ("var s = 'x'; while (true) s += s;", "RangeError: Invalid string length"),
        ("return new Array(2 ** 27).fill(0).length;", "RangeError: Invalid array length"),
        ("return Array.from({ length: 1e9 }).length;", "RangeError: Invalid array length"),
        ("return 'x'.repeat(5e8).split('').length;", "RangeError: Invalid array length"),
        ("return setTimeout(f, 0);", "TypeError: setTimeout is not a function"),
        ("return require('fs');", "ReferenceError: require is not defined"),
    ],
)
def test_ordinary_errors(runtime, body, words):
    error = failure(runtime, f"function f(x) {{ if (!x) return 0; {body} }}", [0, 1])
    assert words in error.message
    assert error.row == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("while (true) {}", "no end after 0.4 s, at row 2 of the 3"),
        ("/(a+)+b/.test('a'.repeat(50));", "no end after 0.4 s, at row 2 of the 3"),
        ("return { get a() { while (true) {} } };", "no end after 0.4 s, at row 2 of the 3"),
        ("throw { toJSON() { while (true) {} } };", "no end after 0.4 s, at row 2 of the 3"),
    ],
)
def test_time_limit(strict, body, words):
    source = f"function f(x) {{ if (!x) return 0; {body} }}"
    function = load_function("f", source, "f.js", strict)
    other = load_function("g", "function g(x) { return x + 1; }", "g.js", strict)
    with pytest.raises(FunctionError) as caught:
        function.call([from_values([0, 1, 0])], 3)
    assert words in caught.value.message
    assert caught.value.row == 1
    assert "js_timeout" in caught.value.hint
    # the engine lives on, and so do both functions
    assert other.call([from_values([1])], 1).to_pylist() == [2]
    assert function.call([from_values([0, 0])], 2).to_pylist() == [0, 0]


@pytest.mark.parametrize(
    "body",
    [
        "var a = []; while (true) a.push({ x: a.length });",
        "var a = ['x']; while (true) { a = a.concat(a).map(String); }",
        "var l = []; while (true) l.push(new Uint8Array(1 << 20).fill(1));",
        "var l = []; while (true) l.push('x'.repeat(1 << 16).split('').join('y'));",
    ],
)
def test_memory_limit(body):
    runtime = JavaScriptRuntime(timeout=20, max_heap=32 << 20)
    source = f"function f(x) {{ if (!x) return 0; {body} }}"
    function = load_function("f", source, "f.js", runtime)
    with pytest.raises(FunctionError) as caught:
        function.call([from_values([0, 1, 0])], 3)
    assert "udf.f: used more than 32 MB of memory, at row 2 of the 3" in caught.value.message
    assert caught.value.row == 1
    assert function.call([from_values([0])], 1).to_pylist() == [0]
    runtime.close()


def test_an_endless_file_is_refused(strict):
    with pytest.raises(CompileError, match=r"f\.js: no end after 0\.4 s while the file was loaded"):
        load_function("f", "while (true) {}", "f.js", strict)
    assert call(strict, ECHO, [1]).to_pylist() == [1]


# -- files do not touch each other ----------------------------------------------------------------


def test_globals_do_not_leak(runtime):
    load_function("f", "var secret = 1; leaked = 2; function f() { return 0; }", "a.js", runtime)
    setter = load_function("f", "function f(x) { stray = x; Math = null; }", "b.js", runtime)
    setter.call([from_values([5])], 1)
    source = "function f() { return [typeof secret, typeof leaked, typeof stray, typeof Math]; }"
    assert call(runtime, source).to_pylist() == [["undefined", "undefined", "undefined", "object"]]


HOSTILE = """
JSON.parse = JSON.stringify = () => 'broken';
globalThis.JSON = null;
Array.isArray = () => true;
Object.keys = Object.getPrototypeOf = () => { throw new Error('keys'); };
Reflect.apply = null;
String.prototype.substring = () => 'broken';
String.prototype.isWellFormed = () => { throw new Error('formed'); };
Function.prototype.call = Function.prototype.bind = Function.prototype.apply = null;
RegExp.prototype.exec = () => null;
Date.prototype.getTime = Date.prototype.toISOString = () => NaN;
globalThis.Float64Array = globalThis.Date = null;
Error.prepareStackTrace = () => 7;
function f(x) { return x; }
"""


def test_a_file_that_redefines_everything_breaks_only_itself():
    runtime = JavaScriptRuntime()
    values = [[1, "a"], ["é😀", "b"], [{"at": NEW, "n": None}, None], [[1], "x"], [NEW, OLD]]
    for source in (HOSTILE, ECHO):
        function = load_function("f", source, "f.js", runtime)
        for some in values:
            assert function.call([from_values(some)], 2).to_pylist() == some
    runtime.close()


def test_the_transport_is_out_of_reach(runtime):
    source = """
    function f() {
      var found = [];
      Error.prepareStackTrace = function (e, sites) {
        for (var s of sites) { found.push(typeof s.getFunction(), typeof s.getThis()); }
        return '';
      };
      new Error().stack;
      delete Error.prepareStackTrace;
      return [found.slice(2), typeof f.caller, typeof memory, typeof buffer, typeof I];
    }"""
    (result,) = call(runtime, source).to_pylist()
    assert set(result[0]) <= {"undefined"}
    assert result[2:] == ["undefined"] * 3


def test_an_endless_loop_inside_of_a_running_event_loop(strict):
    async def job():
        error = failure(strict, "function f(n) { while (n > 1) {} return n; }", [1, 2])
        return error.row, call(strict, ECHO, [1, 2]).to_pylist()

    assert asyncio.run(job()) == (1, [1, 2])


def test_inside_of_a_running_event_loop_and_in_threads():
    async def job():
        return call(JavaScriptRuntime(), ECHO, [1, 2]).to_pylist()

    assert asyncio.run(job()) == [1, 2]
    results = []
    runtime = JavaScriptRuntime()
    function = load_function("f", ECHO, "f.js", runtime)

    def work(number):
        results.append(function.call([from_values([number] * 50)], 50).to_pylist() == [number] * 50)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8
    runtime.close()
    runtime.close()


def test_too_much_text_for_one_call_is_cut_in_halves(runtime, monkeypatch):
    monkeypatch.setattr(function_module, "_MOST_BYTES", 30)
    assert call(runtime, ECHO, ["abcdefghij"] * 9).to_pylist() == ["abcdefghij"] * 9


@pytest.mark.parametrize("x", [0, 1])
def test_an_unclosed_runtime_does_not_keep_the_process(x):
    program = f"""
from streamql.column import from_values
from streamql.udf.javascript import JavaScriptRuntime, load_function
runtime = JavaScriptRuntime(timeout=0.1)
f = load_function("f", "function f(x) {{ while (x); return x; }}", "f.js", runtime)
f.call([from_values([{x}])], 1)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == x
    assert ("FunctionError: udf.f: no end after 0.1 s" in done.stderr) == bool(x)
