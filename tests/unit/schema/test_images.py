"""Each platform asks for images in its own formats and scales."""

from typing import Any

import pytest

from tests.unit.schema.samples import Exchange
from tests.unit.schema.test_operations import execute

BASE = "https://media.facet.local/img/ab"


async def image(platform: str, selection: str) -> tuple[dict[str, Any] | None, list[str]]:
    """The viewer's avatar (500 pixels wide) and the codes of errors."""
    text = f"{{ home {{ viewer {{ avatar {{ {selection} }} }} }} }}"
    result = await execute(platform, text, Exchange())
    codes = [getattr(error.original_error, "code", "") for error in result.errors or ()]
    assert result.data is not None
    return result.data["home"]["viewer"]["avatar"], codes


@pytest.mark.parametrize(
    ("platform", "selection", "expected"),
    [
        ("ios", "url", f"{BASE}/w360.heic"),
        ("ios", "url(points: 40, scale: 2)", f"{BASE}/w80.heic"),
        ("ios", "url(points: 400, scale: 3)", f"{BASE}/w500.heic"),
        ("android", "url", f"{BASE}/w360.webp"),
        ("android", "url(dp: 41, density: HDPI)", f"{BASE}/w62.webp"),
        ("android", "url(dp: 100, density: MDPI)", f"{BASE}/w100.webp"),
        ("android", "url(dp: 100, density: XXXHDPI)", f"{BASE}/w400.webp"),
        ("web", "src", f"{BASE}/w500.avif"),
        ("web", "src(width: 80)", f"{BASE}/w80.avif"),
        ("web", "srcSet", f"{BASE}/w320.avif 320w, {BASE}/w500.avif 500w"),
        ("web", "srcSet(widths: [200, 100])", f"{BASE}/w100.avif 100w, {BASE}/w200.avif 200w"),
    ],
)
async def test_image_fits_its_platform(platform: str, selection: str, expected: str) -> None:
    """HEIC by points and scale, WebP by dp and density, AVIF by widths; none beyond the image."""
    found, codes = await image(platform, selection)
    assert codes == []
    assert found is not None
    assert list(found.values()) == [expected]


@pytest.mark.parametrize(
    ("platform", "selection"),
    [
        ("ios", "url(points: 0)"),
        ("ios", "url(points: 2049)"),
        ("ios", "url(scale: 4)"),
        ("android", "url(dp: 0)"),
        ("android", "url(dp: 2049)"),
        ("web", "src(width: 0)"),
        ("web", "srcSet(widths: [])"),
        ("web", "srcSet(widths: [1, 2, 3, 4, 5, 6, 7, 8, 9])"),
        ("web", "srcSet(widths: [1, 4097])"),
    ],
)
async def test_impossible_sizes_are_refused(platform: str, selection: str) -> None:
    """A size no screen has is refused as bad input; the image is null, its parent stands."""
    found, codes = await image(platform, selection)
    assert codes == ["BAD_USER_INPUT"]
    assert found is None


@pytest.mark.parametrize(
    ("platform", "field"), [("ios", "alt"), ("android", "contentDescription"), ("web", "alt")]
)
async def test_image_is_described(platform: str, field: str) -> None:
    """What an image shows is told under the name the platform's accessibility uses."""
    found, _ = await image(platform, field)
    assert found == {field: "A pier"}
