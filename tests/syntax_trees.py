"""Texts of the language with the trees they must give, for the tests of the syntax."""

from __future__ import annotations

from pathlib import Path

from streamql.errors import Span
from streamql.syntax import nodes
from streamql.syntax.parser import parse

CASES = sorted((Path(__file__).parent / "conformance" / "cases").glob("*/query.sql"))
NOWHERE = Span(0, 0)


def name(text: str) -> nodes.Name:
    return nodes.Name(NOWHERE, text)


def path(*names: str) -> nodes.Path:
    return nodes.Path(NOWHERE, tuple(map(name, names)))


def literal(value: object) -> nodes.Literal:
    return nodes.Literal(NOWHERE, value)


def call(*names: str, args: tuple = (), **more: object) -> nodes.Call:
    return nodes.Call(NOWHERE, tuple(map(name, names[:-1])), name(names[-1]), args, **more)


def binary(left: nodes.Expr, operator: str, right: nodes.Expr) -> nodes.Binary:
    return nodes.Binary(NOWHERE, operator, left, right)


def duration(kind: str, unit: str, amount: int) -> nodes.Duration:
    return nodes.Duration(NOWHERE, kind, name(unit), literal(amount))


def select(text: str) -> nodes.Select:
    (statement,) = parse(text).statements
    assert isinstance(statement, nodes.Select)
    return statement


A, B, C = path("a"), path("b"), path("c")
WINDOW = nodes.Window(NOWHERE, "tumbling", (duration("", "second", 5),))

EXPRESSIONS = [
    ("1", literal(1)),
    ("9223372036854775807", literal(2**63 - 1)),
    ("-9223372036854775808", literal(-(2**63))),
    ("-(5)", literal(-5)),
    ("- -5", nodes.Unary(NOWHERE, "-", literal(-5))),
    ("1.5", literal(1.5)),
    (".5", literal(0.5)),
    ("2.", literal(2.0)),
    ("1e3", literal(1000.0)),
    ("-1.5E-2", literal(-0.015)),
    ("'it''s'", literal("it's")),
    ("N'x'", literal("x")),
    ("''", literal("")),
    ("'--no /*comment'", literal("--no /*comment")),
    ("null", literal(None)),
    ("[a b]]c]", path("a b]c")),
    ('"[raw][v1]"', path("[raw][v1]")),
    ("a.b.[c d].select", path("a", "b", "c d", "select")),
    ("IoTHub.x", path("IoTHub", "x")),
    ("t.ArrayValue.v.unit", path("t", "ArrayValue", "v", "unit")),
    ("a + b * c", binary(A, "+", binary(B, "*", C))),
    ("a - b - c", binary(binary(A, "-", B), "-", C)),
    ("(a + b) % c", binary(binary(A, "+", B), "%", C)),
    ("a & b | c", binary(binary(A, "&", B), "|", C)),
    ("~a ^ b", binary(nodes.Unary(NOWHERE, "~", A), "^", B)),
    ("a-1", binary(A, "-", literal(1))),
    ("LEFT(a, 1)", call("LEFT", args=(A, literal(1)))),
    ("RIGHT(a, 1)", call("RIGHT", args=(A, literal(1)))),
    ("LAST(a)", call("LAST", args=(A,))),
    ("COUNT(*)", call("COUNT", args=(nodes.Star(NOWHERE),))),
    ("COUNT(DISTINCT a)", call("COUNT", args=(A,), distinct=True)),
    ("COUNT(ALL a)", call("COUNT", args=(A,))),
    ("COUNT(all)", call("COUNT", args=(path("all"),))),
    ("Collect()", call("Collect")),
    ("UDF.f(a)", call("UDF", "f", args=(A,))),
    ("uda.g(step)", call("uda", "g", args=(path("step"),))),
    ("System.Timestamp", call("System", "Timestamp")),
    ("SYSTEM.TIMESTAMP()", call("SYSTEM", "TIMESTAMP")),
    (
        "System.Window().Id",
        nodes.Member(NOWHERE, call("System", "Window"), name("Id")),
    ),
    (
        "udf.score(a).[Label].x",
        nodes.Member(
            NOWHERE,
            nodes.Member(NOWHERE, call("udf", "score", args=(A,)), name("Label")),
            name("x"),
        ),
    ),
    ("(a).b", nodes.Member(NOWHERE, A, name("b"))),
    ("DATEADD(hour, 1, a)", call("DATEADD", args=(path("hour"), literal(1), A))),
    ("CAST(a AS nvarchar( max ))", nodes.Cast(NOWHERE, A, name("nvarchar(max)"))),
    ("TRY_CAST(a AS nvarchar(50))", nodes.Cast(NOWHERE, A, name("nvarchar(50)"), lenient=True)),
    (
        "CASE a WHEN 1 THEN b END",
        nodes.Case(NOWHERE, A, (nodes.When(NOWHERE, literal(1), B),), None),
    ),
    (
        "CASE WHEN a > 1 THEN b ELSE c END",
        nodes.Case(NOWHERE, None, (nodes.When(NOWHERE, binary(A, ">", literal(1)), B),), C),
    ),
    (
        "TopOne() OVER (ORDER BY a, b DESC)",
        call(
            "TopOne",
            over=nodes.Over(
                NOWHERE,
                order_by=(nodes.OrderItem(NOWHERE, A), nodes.OrderItem(NOWHERE, B, True)),
            ),
        ),
    ),
    (
        "LAG(*) OVER (PARTITION BY a, b LIMIT DURATION(minute, 5) WHEN c = 1)",
        call(
            "LAG",
            args=(nodes.Star(NOWHERE),),
            over=nodes.Over(
                NOWHERE, (A, B), (), duration("duration", "minute", 5), binary(C, "=", literal(1))
            ),
        ),
    ),
    ("LAG(a, 1, -1)", call("LAG", args=(A, literal(1), literal(-1)))),
]

CONDITIONS = [
    ("a != b", binary(A, "<>", B)),
    ("a !< b", binary(A, ">=", B)),
    ("a !> b", binary(A, "<=", B)),
    ("a", A),
    ("a = b AND b = c", nodes.And(NOWHERE, binary(A, "=", B), binary(B, "=", C))),
    ("a OR b AND NOT c", nodes.Or(NOWHERE, A, nodes.And(NOWHERE, B, nodes.Not(NOWHERE, C)))),
    ("(a OR b) AND c", nodes.And(NOWHERE, nodes.Or(NOWHERE, A, B), C)),
    ("(a + b) > c", binary(binary(A, "+", B), ">", C)),
    ("((a)) = ((b))", binary(A, "=", B)),
    ("a BETWEEN b AND c", nodes.Between(NOWHERE, A, B, C)),
    (
        "a NOT BETWEEN 1 AND 2 AND b",
        nodes.And(NOWHERE, nodes.Between(NOWHERE, A, literal(1), literal(2), True), B),
    ),
    ("a IN (1, b)", nodes.In(NOWHERE, A, (literal(1), B))),
    ("a NOT IN ('x')", nodes.In(NOWHERE, A, (literal("x"),), True)),
    ("a LIKE 'x%'", nodes.Like(NOWHERE, A, literal("x%"))),
    ("a NOT LIKE b", nodes.Like(NOWHERE, A, B, True)),
    ("a IS NULL", nodes.IsNull(NOWHERE, A)),
    ("a IS NOT NULL", nodes.IsNull(NOWHERE, A, True)),
]

ITEMS = [
    ("*", nodes.Star(NOWHERE), None),
    ("a.*", nodes.Star(NOWHERE, (name("a"),)), None),
    ("a.b.*", nodes.Star(NOWHERE, (name("a"), name("b"))), None),
    ("a AS x", A, "x"),
    ("a x", A, "x"),
    ("x = a", A, "x"),
    ("a AS 'x y'", A, "x y"),
    ("a AS [x y]", A, "x y"),
    ("a [x]", A, "x"),
    ("a value", A, "value"),
    ("a limit", A, "limit"),
    ("a order", A, "order"),
    ("a timestamp", A, "timestamp"),
    ("a left", A, "left"),
    ("COUNT(*) over", call("COUNT", args=(nodes.Star(NOWHERE),)), "over"),
]

GROUPS = [
    ("TumblingWindow(second, 5)", WINDOW),
    ("tumbling(second, 5)", WINDOW),
    (
        "HOPPINGWINDOW(second, 10, 5)",
        nodes.Window(NOWHERE, "hopping", (duration("", "second", 10), duration("", "second", 5))),
    ),
    (
        "Hopping(Duration(hour, 1), Hop(minute, 5), Offset(millisecond, -1))",
        nodes.Window(
            NOWHERE,
            "hopping",
            (
                duration("duration", "hour", 1),
                duration("hop", "minute", 5),
                duration("offset", "millisecond", -1),
            ),
        ),
    ),
    (
        "TumblingWindow(hour, 1, Offset(minute, 2))",
        nodes.Window(
            NOWHERE, "tumbling", (duration("", "hour", 1), duration("offset", "minute", 2))
        ),
    ),
    ("Sliding(second, 5)", nodes.Window(NOWHERE, "sliding", (duration("", "second", 5),))),
    (
        "Session(Timeout(minute, 1), MaxDuration(minute, 60)) OVER (PARTITION BY a)",
        nodes.Window(
            NOWHERE,
            "session",
            (duration("timeout", "minute", 1), duration("maxduration", "minute", 60)),
            partition_by=(A,),
        ),
    ),
    (
        "Windows(Window('x', TumblingWindow(second, 5)), System.Timestamp(), System.Timestamp)",
        nodes.Windows(
            NOWHERE,
            (
                nodes.Window(NOWHERE, "tumbling", WINDOW.durations, literal("x")),
                nodes.Window(NOWHERE, "snapshot", ()),
                nodes.Window(NOWHERE, "snapshot", ()),
            ),
        ),
    ),
    (
        "Windows(Windows(Tumbling(second, 5)))",
        nodes.Windows(NOWHERE, (nodes.Windows(NOWHERE, (WINDOW,)),)),
    ),
    ("System.Timestamp()", call("System", "Timestamp")),
    ("window", path("window")),
    ("session.id", path("session", "id")),
]

TIME = nodes.TimestampBy(NOWHERE, path("at"))
KEYS = nodes.PartitionBy(NOWHERE, (path("k"),))
T = nodes.Table(NOWHERE, name("t"))
U = nodes.Table(NOWHERE, name("u"), name("b"))

SOURCES = [
    ("t", T),
    ("[my-input] AS x", nodes.Table(NOWHERE, name("my-input"), name("x"))),
    ("input timestamp", nodes.Table(NOWHERE, name("input"), name("timestamp"))),
    ("t x TIMESTAMP BY at PARTITION BY k", nodes.Table(NOWHERE, name("t"), name("x"), TIME, KEYS)),
    (
        "t PARTITION BY k AS x TIMESTAMP BY at",
        nodes.Table(NOWHERE, name("t"), name("x"), TIME, KEYS),
    ),
    ("t TIMESTAMP BY at PARTITION BY k x", nodes.Table(NOWHERE, name("t"), name("x"), TIME, KEYS)),
    (
        "t TIMESTAMP BY at OVER a, b AS x",
        nodes.Table(NOWHERE, name("t"), name("x"), nodes.TimestampBy(NOWHERE, path("at"), (A, B))),
    ),
    (
        "t PARTITION BY k INTO 4",
        nodes.Table(
            NOWHERE,
            name("t"),
            partition_by=nodes.PartitionBy(NOWHERE, (path("k"),), literal(4)),
        ),
    ),
    ("t JOIN u b ON a = b", nodes.Join(NOWHERE, T, "inner", U, binary(A, "=", B))),
    ("t INNER JOIN u b ON a = b", nodes.Join(NOWHERE, T, "inner", U, binary(A, "=", B))),
    ("t LEFT OUTER JOIN u b ON a = b", nodes.Join(NOWHERE, T, "left", U, binary(A, "=", B))),
    (
        "t JOIN u b ON a = b LEFT JOIN u AS b ON b = c",
        nodes.Join(
            NOWHERE,
            nodes.Join(NOWHERE, T, "inner", U, binary(A, "=", B)),
            "left",
            U,
            binary(B, "=", C),
        ),
    ),
    (
        "t CROSS APPLY GetArrayElements(a) AS e",
        nodes.Apply(NOWHERE, T, False, call("GetArrayElements", args=(A,)), name("e")),
    ),
    (
        "t OUTER APPLY GetRecordProperties(a) e",
        nodes.Apply(NOWHERE, T, True, call("GetRecordProperties", args=(A,)), name("e")),
    ),
    (
        "(SELECT a FROM t) x",
        nodes.Subquery(
            NOWHERE,
            nodes.Select(NOWHERE, (nodes.SelectItem(NOWHERE, A),), None, T),
            name("x"),
        ),
    ),
]

PATTERNS = [
    ("A", nodes.PatternVariable(NOWHERE, "A")),
    (
        "A (B | C)+ . D{2,}",
        nodes.PatternSequence(
            NOWHERE,
            (
                nodes.PatternVariable(NOWHERE, "A"),
                nodes.PatternRepeat(
                    NOWHERE,
                    nodes.PatternChoice(
                        NOWHERE,
                        (nodes.PatternVariable(NOWHERE, "B"), nodes.PatternVariable(NOWHERE, "C")),
                    ),
                    1,
                    None,
                ),
                nodes.PatternVariable(NOWHERE, "."),
                nodes.PatternRepeat(NOWHERE, nodes.PatternVariable(NOWHERE, "D"), 2, None),
            ),
        ),
    ),
    ("A{2}", nodes.PatternRepeat(NOWHERE, nodes.PatternVariable(NOWHERE, "A"), 2, 2)),
    ("A{2,3}", nodes.PatternRepeat(NOWHERE, nodes.PatternVariable(NOWHERE, "A"), 2, 3)),
    ("A*", nodes.PatternRepeat(NOWHERE, nodes.PatternVariable(NOWHERE, "A"), 0, None)),
    ("A?", nodes.PatternRepeat(NOWHERE, nodes.PatternVariable(NOWHERE, "A"), 0, 1)),
]

MATCH = (
    "SELECT * FROM t MATCH_RECOGNIZE ({head} MEASURES Last(A.x) AS y AFTER MATCH SKIP TO NEXT ROW "
    "PATTERN ({pattern}) DEFINE A AS A.x > 1, B AS B.x < 1) AS m"
)

SCRIPTS = {
    "CREATE TABLE t (a bigint, b nvarchar(max)); CREATE TABLE u ([c d] float) SELECT a FROM t": 1,
    "WITH s AS (SELECT a FROM t), [s 2] AS ((SELECT a FROM s)) SELECT a FROM s SELECT b FROM s": 2,
    "SELECT a INTO [o-1] FROM t; SELECT b FROM t;;": 2,
    ";WITH s AS (SELECT a INTO o FROM t) SELECT a FROM s": 1,
    "SELECT a FROM t UNION SELECT b FROM u UNION (SELECT c FROM v) SELECT d FROM w": 2,
    "(SELECT a FROM t) UNION (SELECT b FROM u); (SELECT c FROM v)": 2,
    "SELECT 1 AS one": 1,
    "\ufeffSELECT a -- x\r\n/* /* nested */ still */\r\nFROM t\r\n": 1,
    "select a from t where b having c = 1": 1,
    "SELECT 'a'AS b,[c]FROM[d]WHERE(a)=1": 1,
}


def all_texts() -> list[str]:
    texts = [c.read_text(encoding="utf-8") for c in CASES]
    texts += [f"SELECT {e[0]} AS x FROM t" for e in EXPRESSIONS]
    texts += [f"SELECT a FROM t WHERE {e[0]}" for e in CONDITIONS]
    texts += [f"SELECT {e[0]} FROM t" for e in ITEMS]
    texts += [f"SELECT a FROM t GROUP BY {e[0]}" for e in GROUPS]
    texts += [f"SELECT a FROM {e[0]}" for e in SOURCES]
    texts += [MATCH.format(head="", pattern=e[0]) for e in PATTERNS]
    texts += [MATCH.format(head="PARTITION BY a LIMIT DURATION(day, 1)", pattern="A")]
    return texts + list(SCRIPTS)
