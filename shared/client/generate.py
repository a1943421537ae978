"""
Write typed clients beside the services' protobuf code: `python -m shared.client.generate`.

Reads a descriptor set with comments (`protoc --include_source_info -o`) and writes
`<service>_client.py` under the same folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jinja2
import typer
from google.protobuf import descriptor_pb2

TEMPLATE = Path(__file__).with_name("client.py.jinja")


class Method(NamedTuple):
    """One rpc as its client shows it."""

    rpc: str
    name: str
    comment: str
    request: str
    response: str
    rows: str
    row: str
    streams: bool


def main(
    descriptors: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    folder: Annotated[Path, typer.Argument(file_okay=False)],
) -> None:
    """Write the client module of every service in a descriptor set below a folder."""
    found = descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes())
    messages = {
        f".{file.package}.{message.name}": (file, message)
        for file in found.file
        for message in file.message_type
    }
    for file in found.file:
        for number, service in enumerate(file.service):
            target = folder / f"{file.name.removesuffix('.proto')}_client.py"
            if len(file.service) > 1:
                raise typer.BadParameter(f"{file.name} has {len(file.service)} services, not one")
            target.write_text(_module(file, service, number, messages), "utf-8")


def _module(file: Any, service: Any, number: int, messages: dict[str, Any]) -> str:
    """Return the text of one client module."""
    comments = {
        tuple(place.path): place.leading_comments for place in file.source_code_info.location
    }
    methods = [
        _method(rpc, comments.get((6, number, 2, k), ""), messages)
        for k, rpc in enumerate(service.method)
    ]
    names = {name for m in methods for name in (m.request, m.response, m.row) if name}
    page = jinja2.Template(TEMPLATE.read_text("utf-8"), trim_blocks=True, lstrip_blocks=True)
    text: str = page.render(
        source=file.name,
        module=_python(file)[0],
        stub=f"{service.name}Stub",
        client=service.name.removesuffix("Service"),
        about=_sentence(comments.get((6, number), "")),
        methods=methods,
        imports=sorted({name.partition(".")[0] for name in names}),
        packages=dict(_python(f) for f, _ in messages.values()),
    )
    return text


def _method(rpc: Any, comment: str, messages: dict[str, Any]) -> Method:
    """Describe one rpc; one whose answer has pages lists rows too."""
    _, answer = messages[rpc.output_type]
    paged = any(f.name == "next_page_token" for f in answer.field)
    rows = next((f for f in answer.field if paged and f.label == f.LABEL_REPEATED), None)
    return Method(
        rpc=rpc.name,
        name=re.sub(r"(?<!^)(?=[A-Z])", "_", rpc.name).lower(),
        comment=_sentence(comment),
        request=_named(rpc.input_type, messages),
        response=_named(rpc.output_type, messages),
        rows=rows.name if rows else "",
        row=_named(rows.type_name, messages) if rows else "",
        streams=rpc.server_streaming,
    )


def _named(message: str, messages: dict[str, Any]) -> str:
    """Return a message's Python name with its module, such as loan_pb2.Loan."""
    file, found = messages[message]
    return f"{_python(file)[0]}.{found.name}"


def _python(file: Any) -> tuple[str, str]:
    """Return the Python module of a proto file, and its package."""
    folder, _, stem = file.name.removesuffix(".proto").rpartition("/")
    return f"{stem}_pb2", folder.replace("/", ".")


def _sentence(comment: str) -> str:
    return " ".join(comment.split()).replace("\\", "\\\\").replace('"', "'")


if __name__ == "__main__":
    typer.run(main)
