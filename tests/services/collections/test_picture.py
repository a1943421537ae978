"""The picture of the figures is well-formed and true to scale."""

from __future__ import annotations

from xml.etree import ElementTree

from lending.collections.v1 import work_service_pb2 as pb

from services.collections.adapters.picture import picture

WANTED = "A year; contacts per cure: 3.50; cost per 100 collected: 0.42"
SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_is_true_to_scale() -> None:
    """The highest count fills the field, half of it half the field; every share has its point."""
    answer = pb.GetFiguresResponse(contacts_per_cure="3.50")
    answer.costs.add(per_hundred="0.42")
    answer.months.add(month="2025-01", opened=40, closed=20)
    answer.months.add(month="2025-02", messages=10)
    answer.shares.add(
        figure="cure", arm="a<b", part=1, whole=2, share="0.5000", low="0.1000", high="0.9000"
    )
    answer.shares.add(figure="complaint", whole=0)

    root = ElementTree.fromstring(picture(answer, "A year"))

    titled = [bar for bar in root.iter(f"{SVG}rect") if len(bar)]
    bars = {bar.find(f"{SVG}title").text: int(bar.get("height")) for bar in titled}
    assert bars["2025-01 opened: 40"] == 200
    assert (bars["2025-01 closed: 20"], bars["2025-02 messages: 10"]) == (100, 50)
    (point,) = root.iter(f"{SVG}circle")
    assert point.get("cx") == str(330 + 200)
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "cure · a<b (1 of 2)" in texts and WANTED in texts
