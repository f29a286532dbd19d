"""Compiles the expressions of stream maps, with the functions and operators of ``simpleeval``.

The SDK walks through an expression's tree for each record. Here the most frequent kinds of nodes
become Python functions once; ``simpleeval`` evaluates the others, with all that is in them.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import simpleeval
import simplejson
from singer_sdk.exceptions import MapExpressionError
from singer_sdk.mapper import CustomStreamMap

Evaluate = Callable[[dict[str, Any]], Any]
"""Evaluates an expression, or a part of it, with the columns of a record."""

WHOLE_RECORD = frozenset({"record", "_"})
"""The names by which an expression asks for all columns."""


def use_exact_json(stream_map: CustomStreamMap) -> None:
    """Let the expressions of a stream map read and write JSON with exact numbers.

    Numbers of a record are decimals, which ``json.dumps`` can't write and ``json.loads`` does not
    read.
    """
    stream_map.expr_evaluator.functions["json"] = SimpleNamespace(
        dumps=simplejson.dumps, loads=partial(simplejson.loads, use_decimal=True)
    )


def names_in(parsed: ast.AST) -> set[str]:
    """Return the names in an expression, those of functions among them."""
    return {node.id for node in ast.walk(parsed) if isinstance(node, ast.Name)}


def compile_expression(
    stream_map: CustomStreamMap, expr: str, parsed: ast.AST, property_name: str | None
) -> Evaluate:
    """Return a function that evaluates an expression for a record, as the stream map does it.

    ``expr`` is its text, for messages, ``parsed`` the same, and ``property_name`` the column that is
    ``self``. The function raises ``MapExpressionError``, and what the expression's functions raise.
    """
    constants = {
        "config": stream_map.map_config,
        "__stream_name__": stream_map.stream_alias,
        "__original_stream_name__": stream_map.stream_name,
    }
    if stream_map.fake:
        constants["fake"] = stream_map.fake
    compiled = _Compiler(stream_map.expr_evaluator, expr, constants).compile(parsed)
    used = names_in(parsed)
    with_record = not used.isdisjoint(WHOLE_RECORD)
    self_name = property_name if "self" in used else None

    def evaluate(record: dict[str, Any]) -> Any:
        names = {**record, "_": record, "record": record} if with_record else record
        if self_name and self_name in record:
            names = {**names, "self": record[self_name]}
        try:
            return compiled(names)
        except (simpleeval.InvalidExpression, SyntaxError) as error:
            raise MapExpressionError(
                f"Failed to evaluate simpleeval expressions {expr}."
            ) from error

    return evaluate


class _Compiler:
    """Compiles the nodes of one expression, each to what ``SimpleEval`` does with it."""

    def __init__(
        self, evaluator: simpleeval.SimpleEval, expr: str, constants: Mapping[str, Any]
    ) -> None:
        self._evaluator = evaluator
        self._expr = expr
        self._constants = constants

    def compile(self, node: ast.AST) -> Evaluate:
        """Return a function that evaluates a node."""
        operators, functions = self._evaluator.operators, self._evaluator.functions
        function: Callable[..., Any] | None = None
        operands: Sequence[ast.AST] = ()
        match node:
            case ast.Expr(value):
                return self.compile(value)
            case ast.Name(name):
                return self._compile_name(name, node)
            case ast.Constant(str(value) | int(value)) if (
                isinstance(value, int) or len(value) <= simpleeval.MAX_STRING_LENGTH
            ):
                return lambda _: value
            case ast.IfExp():
                test, body, orelse = map(self.compile, (node.test, node.body, node.orelse))
                return lambda names: body(names) if test(names) else orelse(names)
            case ast.BinOp(left, op, right) | ast.Compare(left, [op], [right]):
                function, operands = operators.get(type(op)), [left, right]
            case ast.Subscript(container, key):
                function, operands = operator.getitem, [container, key]
            case ast.Call(ast.Name(name), operands, []):
                function = functions.get(name)
        if callable(function):
            return _call(function, [self.compile(operand) for operand in operands])
        return self._interpret(node)

    def _interpret(self, node: ast.AST) -> Evaluate:
        def evaluate(names: dict[str, Any]) -> Any:
            self._evaluator.names = {**names, **self._constants}
            return self._evaluator.eval(self._expr, node)

        return evaluate

    def _compile_name(self, name: str, node: ast.Name) -> Evaluate:
        if name in self._constants:
            value = self._constants[name]
            return lambda _: value
        interpret = self._interpret(node)  # a function, or an error
        return lambda names: names[name] if name in names else interpret(names)


def _call(function: Callable[..., Any], arguments: Sequence[Evaluate]) -> Evaluate:
    match arguments:
        case [only]:
            return lambda names: function(only(names))
        case [first, second]:
            return lambda names: function(first(names), second(names))
    return lambda names: function(*[argument(names) for argument in arguments])
