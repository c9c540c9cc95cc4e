"""The condition of a SQL filter: parsed by recursive descent, compiled to a function of a message as it goes.

The grammar is the one documented for subscription rules. NOT binds tighter than AND, AND tighter than OR.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from aos.local.servicebus.engine.errors import FilterFailed, FilterInvalid
from aos.local.servicebus.engine.message import Message, PropertyValue
from aos.local.servicebus.engine.sql.operators import COMPARISONS, calculate, compare, like, negate
from aos.local.servicebus.engine.sql.properties import (
    has_user_property,
    system_attribute,
    system_reader,
    user_property,
    user_reader,
)
from aos.local.servicebus.engine.sql.tokens import Kind, Token, tokenize

Evaluate = Callable[[Message], PropertyValue]
Condition = Callable[[Message], bool]

MAX_LENGTH = 1024
_MAX_DEPTH = 40
_KEYWORDS = frozenset({"AND", "ESCAPE", "EXISTS", "FALSE", "IN", "IS", "LIKE", "NOT", "NULL", "OR", "TRUE"})


def compile_condition(expression: str, parameters: Mapping[str, PropertyValue] | None = None) -> Condition:
    """A function that says whether a message passes: unknown counts as no.

    The function raises FilterFailed where the service would raise a FilterException.

    Raises:
        FilterInvalid: the expression does not follow the grammar; the message says where.
    """
    parser = Parser(expression, parameters or {})
    node = parser.predicate()
    parser.expect_end()
    evaluate = node.evaluate
    return lambda message: evaluate(message) is True


@dataclass(frozen=True, slots=True)
class Property:
    """A property as it is named: in scope `sys` or `user`."""

    system: bool
    name: str

    def reader(self) -> Evaluate:
        return system_reader(self.name) if self.system else user_reader(self.name)

    def exists(self) -> Evaluate:
        if self.system:
            attribute = system_attribute(self.name)
            return lambda message: getattr(message, attribute) is not None
        return lambda message: has_user_property(message, self.name)


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression. A predicate gives True, False or None for unknown."""

    evaluate: Evaluate
    is_predicate: bool = False
    property: Property | None = None


class Parser:
    """Reads one expression. Each method reads what it is named after and stands behind it afterwards."""

    def __init__(self, text: str, parameters: Mapping[str, PropertyValue]) -> None:
        if len(text) > MAX_LENGTH:
            raise FilterInvalid(f"An expression may have {MAX_LENGTH} characters; this one has {len(text)}.")
        self._text = text
        self._tokens = tokenize(text)
        self._next = 0
        self._depth = 0
        self._parameters = {name.removeprefix("@").lower(): value for name, value in parameters.items()}

    # Tokens

    @property
    def token(self) -> Token:
        return self._tokens[self._next]

    def advance(self) -> Token:
        token = self._tokens[self._next]
        if token.kind is not Kind.END:
            self._next += 1
        return token

    def at_symbol(self, *symbols: str) -> bool:
        return self.token.kind is Kind.SYMBOL and self.token.text in symbols

    def at_word(self, *words: str) -> bool:
        return self.token.kind is Kind.WORD and self.token.text.upper() in words

    def take_word(self, *words: str) -> bool:
        found = self.at_word(*words)
        if found:
            self.advance()
        return found

    def expect_symbol(self, symbol: str) -> None:
        if not self.at_symbol(symbol):
            raise self.error(f"expected {symbol!r}")
        self.advance()

    def expect_end(self) -> None:
        if self.token.kind is not Kind.END:
            raise self.error("expected the end")

    def error(self, what: str) -> FilterInvalid:
        token = self.token
        found = "the end" if token.kind is Kind.END else repr(token.text)
        return FilterInvalid(f"{what}, found {found} at position {token.at + 1} of {self._text!r}.")

    # Predicates

    def predicate(self) -> Node:
        return self._need_predicate(self._either())

    def _need_predicate(self, node: Node) -> Node:
        if not node.is_predicate:
            raise self.error("a condition needs a comparison, IS NULL, IN, LIKE or EXISTS")
        return node

    def _either(self) -> Node:
        first = self._both()
        if not self.at_word("OR"):
            return first
        parts = [self._need_predicate(first).evaluate]
        while self.take_word("OR"):
            parts.append(self._need_predicate(self._both()).evaluate)
        return Node(lambda message: _or(parts, message), is_predicate=True)

    def _both(self) -> Node:
        first = self._negation()
        if not self.at_word("AND"):
            return first
        parts = [self._need_predicate(first).evaluate]
        while self.take_word("AND"):
            parts.append(self._need_predicate(self._negation()).evaluate)
        return Node(lambda message: _and(parts, message), is_predicate=True)

    def _negation(self) -> Node:
        if not self.take_word("NOT"):
            return self._comparison()
        self._deeper()
        inner = self._need_predicate(self._negation()).evaluate
        self._depth -= 1
        return Node(lambda message: _not(inner(message)), is_predicate=True)

    def _comparison(self) -> Node:
        left = self._sum()
        if left.is_predicate:
            return left
        if self.at_symbol(*COMPARISONS):
            test = COMPARISONS[self.advance().text]
            one, other = left.evaluate, self.expression().evaluate
            return Node(lambda message: compare(test, one(message), other(message)), is_predicate=True)
        if self.take_word("IS"):
            return self._null_test(left)
        negated = self.take_word("NOT")
        if self.take_word("IN"):
            return _negated_if(negated, self._membership(left.evaluate))
        if self.take_word("LIKE"):
            return _negated_if(negated, self._pattern(left.evaluate))
        if negated:
            raise self.error("expected IN or LIKE after NOT")
        return left

    def _null_test(self, left: Node) -> Node:
        if left.property is None:
            raise self.error("IS NULL needs a property on its left")
        negated = self.take_word("NOT")
        if not self.take_word("NULL"):
            raise self.error("expected NULL")
        read = left.evaluate
        return Node(lambda message: (read(message) is None) is not negated, is_predicate=True)

    def _membership(self, left: Evaluate) -> Evaluate:
        self.expect_symbol("(")
        choices = [self.expression().evaluate]
        while self.at_symbol(","):
            self.advance()
            choices.append(self.expression().evaluate)
        self.expect_symbol(")")
        equal = COMPARISONS["="]

        def member(message: Message) -> bool | None:
            value = left(message)
            if value is None:
                return None
            return any(compare(equal, value, choice(message)) for choice in choices)

        return member

    def _pattern(self, left: Evaluate) -> Evaluate:
        pattern = self.expression().evaluate
        if not self.take_word("ESCAPE"):
            return lambda message: like(left(message), pattern(message), None, has_escape=False)
        escape = self.expression().evaluate
        return lambda message: like(left(message), pattern(message), escape(message), has_escape=True)

    # Expressions

    def expression(self) -> Node:
        """A value: anything but a predicate."""
        return self._need_value(self._sum())

    def _need_value(self, node: Node) -> Node:
        if node.is_predicate:
            raise self.error("a condition cannot be used as a value")
        return node

    def _sum(self) -> Node:
        node = self._product()
        while self.at_symbol("+", "-"):
            symbol = self.advance().text
            node = self._combine(symbol, node, self._product())
        return node

    def _product(self) -> Node:
        node = self._signed()
        while self.at_symbol("*", "/", "%"):
            symbol = self.advance().text
            node = self._combine(symbol, node, self._signed())
        return node

    def _combine(self, symbol: str, left: Node, right: Node) -> Node:
        one, other = self._need_value(left).evaluate, self._need_value(right).evaluate
        return Node(lambda message: calculate(symbol, one(message), other(message)))

    def _signed(self) -> Node:
        if not self.at_symbol("+", "-"):
            return self._primary()
        self._deeper()
        symbol = self.advance().text
        inner = self._need_value(self._signed()).evaluate
        self._depth -= 1
        if symbol == "-":
            return Node(lambda message: negate(inner(message)))
        return Node(lambda message: calculate("+", 0, inner(message)))

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self.error(f"the expression is nested more than {_MAX_DEPTH} deep")

    def _primary(self) -> Node:
        token = self.token
        if self.at_symbol("("):
            self._deeper()
            self.advance()
            inner = self._either()
            self.expect_symbol(")")
            self._depth -= 1
            # Parentheses make a property a value: IS NULL no longer applies to it.
            return Node(inner.evaluate, is_predicate=inner.is_predicate)
        if token.kind is Kind.WORD:
            return self._word()
        if token.kind is Kind.QUOTED_NAME:
            return self._property_node()
        if token.kind in {Kind.STRING, Kind.INTEGER, Kind.FLOAT, Kind.PARAMETER}:
            return _constant(self._literal(self.advance()))
        raise self.error("expected a value")

    def _literal(self, token: Token) -> PropertyValue:
        if token.kind is Kind.STRING:
            return token.text
        if token.kind is Kind.FLOAT:
            return float(token.text)
        if token.kind is Kind.INTEGER:
            value = int(token.text) if len(token.text) < 30 else 2**63
            if value >= 2**63:
                raise FilterInvalid(f"{token.text} does not fit in 64 bits (in {self._text!r}).")
            return value
        name = token.text[1:].lower()
        if name not in self._parameters:
            raise FilterInvalid(f"There is no parameter {token.text!r} (in {self._text!r}).")
        return self._parameters[name]

    def _word(self) -> Node:
        word = self.token.text.upper()
        if word in {"TRUE", "FALSE", "NULL"}:
            self.advance()
            return _constant({"TRUE": True, "FALSE": False, "NULL": None}[word])
        if word == "EXISTS":
            self.advance()
            self.expect_symbol("(")
            exists = self.property_name().exists()
            self.expect_symbol(")")
            return Node(exists, is_predicate=True)
        following = self._tokens[self._next + 1]
        if following.kind is Kind.SYMBOL and following.text == "(":
            return self._function(word)
        return self._property_node()

    def _function(self, word: str) -> Node:
        if word not in {"NEWID", "PROPERTY", "P"}:
            raise self.error("expected newid(), property(name) or p(name)")
        self.advance()
        self.advance()
        if word == "NEWID":
            self.expect_symbol(")")
            return Node(lambda _: uuid4())
        self._deeper()
        name = self.expression().evaluate
        self._depth -= 1
        self.expect_symbol(")")
        return Node(lambda message: _named_property(message, name(message)))

    def _property_node(self) -> Node:
        found = self.property_name()
        return Node(found.reader(), property=found)

    def property_name(self) -> Property:
        """`[scope .] name`."""
        first = self._name()
        if not self.at_symbol("."):
            return Property(system=False, name=first.text)
        scope = first.text.lower()
        if first.kind is not Kind.WORD or scope not in {"sys", "user"}:
            raise self.error(f"{first.text!r} is not a scope, which is sys or user (quote a name that has dots)")
        self.advance()
        return Property(system=scope == "sys", name=self._name().text)

    def _name(self) -> Token:
        token = self.token
        if token.kind is Kind.QUOTED_NAME or (token.kind is Kind.WORD and token.text.upper() not in _KEYWORDS):
            return self.advance()
        raise self.error("expected a property name")


def _constant(value: PropertyValue) -> Node:
    return Node(lambda _: value)


def _named_property(message: Message, name: PropertyValue) -> PropertyValue:
    if name is None:
        return None
    if not isinstance(name, str):
        raise FilterFailed(f"property() needs a text, not {name!r}.")
    return user_property(message, name)


def _negated_if(negated: bool, evaluate: Evaluate) -> Node:
    if negated:
        return Node(lambda message: _not(evaluate(message)), is_predicate=True)
    return Node(evaluate, is_predicate=True)


def _not(value: PropertyValue) -> bool | None:
    return None if value is None else not value


def _and(parts: list[Evaluate], message: Message) -> bool | None:
    unknown = False
    for part in parts:
        value = part(message)
        if value is False:
            return False
        unknown = unknown or value is None
    return None if unknown else True


def _or(parts: list[Evaluate], message: Message) -> bool | None:
    unknown = False
    for part in parts:
        value = part(message)
        if value is True:
            return True
        unknown = unknown or value is None
    return None if unknown else False
