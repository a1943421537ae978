"""A message as one self-contained proto file, with its comments, for those without the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    EnumValueDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorSet,
)

Kind = FieldDescriptorProto.Type
MESSAGE_TYPE, ENUM_TYPE = 4, 5
"""Field numbers of a file's messages and enums: where its comments are found."""


@dataclass
class Protos:
    """Messages and enums by full name, and the comments of both and of their parts."""

    messages: dict[str, DescriptorProto] = field(default_factory=dict)
    enums: dict[str, EnumDescriptorProto] = field(default_factory=dict)
    comments: dict[tuple[str, int], str] = field(default_factory=dict)

    def comment(self, name: str, part: int = -1) -> str:
        """Return what stands above a message or enum, or above its n-th field or value."""
        return self.comments.get((name, part), "")

    def text(self, root: str) -> str:
        """Return a proto3 file that holds a message and everything that it is made of."""
        package = root.rpartition(".")[0]
        found = self._closure(root)
        parts = [self._message(name) for name in found if name in self.messages]
        parts += [self._enum(name) for name in found if name in self.enums]
        return "\n\n".join(['syntax = "proto3";', f"package {package};", *parts]) + "\n"

    def _closure(self, root: str) -> list[str]:
        """Return the names that a message needs, itself first."""
        found, waiting = [], [root]
        while waiting:
            name = waiting.pop(0)
            if name in found or name not in {*self.messages, *self.enums}:
                continue
            found.append(name)
            if name in self.messages:
                waiting += [one.type_name[1:] for one in self._parts(name) if one.type_name]
        return found

    def _parts(self, name: str) -> Iterable[FieldDescriptorProto]:
        message = self.messages[name]
        maps = {f".{name}.{one.name}": one for one in message.nested_type}
        for one in message.field:
            yield from maps[one.type_name].field if one.type_name in maps else [one]

    def _message(self, name: str) -> str:
        message = self.messages[name]
        maps = {f".{name}.{one.name}": one for one in message.nested_type}
        lines = [*_said(self.comment(name)), f"message {message.name} {{"]
        for number, one in enumerate(message.field):
            lines += [f"  {line}" for line in _said(self.comment(name, number))]
            if one.type_name in maps:
                key, value = maps[one.type_name].field
                kind = f"map<{_type(key)}, {_type(value)}>"
            else:
                many = one.label == FieldDescriptorProto.LABEL_REPEATED
                kind = ("repeated " if many else "") + _type(one)
            lines.append(f"  {kind} {one.name} = {one.number}{_retired(one)};")
        return "\n".join([*lines, "}"])

    def _enum(self, name: str) -> str:
        enum = self.enums[name]
        lines = [*_said(self.comment(name)), f"enum {enum.name} {{"]
        for number, one in enumerate(enum.value):
            lines += [f"  {line}" for line in _said(self.comment(name, number))]
            lines.append(f"  {one.name} = {one.number}{_retired(one)};")
        return "\n".join([*lines, "}"])


def _said(comment: str) -> list[str]:
    return [f"// {line.strip()}" for line in comment.strip().splitlines()]


def _retired(one: FieldDescriptorProto | EnumValueDescriptorProto) -> str:
    return " [deprecated = true]" if one.options.deprecated else ""


def _type(one: FieldDescriptorProto) -> str:
    if one.type_name:
        return one.type_name.rpartition(".")[2]
    return Kind.Name(one.type).removeprefix("TYPE_").lower()


def read_protos(compiled: Path) -> Protos:
    """Read what protoc compiled with source info."""
    found = Protos()
    for file in FileDescriptorSet.FromString(compiled.read_bytes()).file:
        names = {}
        for kind, group in ((MESSAGE_TYPE, file.message_type), (ENUM_TYPE, file.enum_type)):
            for number, one in enumerate(group):
                names[kind, number] = name = f"{file.package}.{one.name}"
                (found.messages if kind == MESSAGE_TYPE else found.enums)[name] = one
        for place in file.source_code_info.location:
            path = tuple(place.path)
            if path[:2] in names and len(path) in (2, 4):
                part = path[3] if len(path) == 4 else -1
                found.comments[names[path[:2]], part] = place.leading_comments
    return found
