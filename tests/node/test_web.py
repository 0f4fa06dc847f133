"""The rooms of the shell below its pages: formats, tables, downloads, navigation, charts and their permissions."""

import csv
import gzip
import io
import itertools
import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.http import QueryDict
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from corridor.accounts.actors import System
from corridor.accounts.roles import NotPermitted
from corridor.accounts.services import add_person
from corridor.jobs import registry
from corridor.web import (
    chart_render,
    chart_store,
    chart_theme,
    charts,
    exports,
    formats,
    maps,
    navigation,
    outlines,
    uploads,
)
from corridor.web.tables import Cell, Column, Table
from corridor.web.templatetags import corridor_web

NOW = datetime(2026, 11, 16, 6, tzinfo=UTC)
STATIC = Path(chart_theme.__file__).parent / "static" / "web"
SPEC = {
    "data": {"values": [{"week": "W01", "cases": 3}, {"week": "W02", "cases": 5}]},
    "height": 100,
    "mark": {"type": "bar", "style": "cases"},
    "encoding": {"x": {"field": "week", "type": "ordinal"}, "y": {"field": "cases", "type": "quantitative"}},
}
TABLE = Table(
    caption="Cases",
    columns=[Column("week", "Week"), Column("cases", "Cases", kind="number")],
    rows=[["W02", 5], ["W01", Cell(state="withheld", below=5, note="strata")]],
)


def person(name: str, *roles: str):
    return add_person(name, roles=roles, must_change_password=False, actor=System("test"), now=NOW)


def rendered(source: str, **context: object) -> str:
    return Template("{% load corridor_web %}" + source).render(Context(context))


@pytest.fixture
def kept(settings, tmp_path):
    settings.CORRIDOR_HOME = tmp_path
    return charts.frame(
        SPEC,
        title="Cases",
        description="Two weeks.",
        table=TABLE,
        permission="accounts.see_audit",
        request=RequestFactory().get("/"),
        simulated=True,
    )


# Formats


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", "1,234,567.5"), ("zh-hans", "1,234,567.5"), ("ru", "1\u00a0234\u00a0567,5"), ("ur", "1,234,567.5")],
)
def test_number_is_written_as_its_language_writes_it(language, expected):
    assert formats.number_text(1234567.5, language=language) == expected


@given(st.integers(-(10**12), 10**12), st.sampled_from(sorted(formats.CONVENTIONS)))
def test_number_loses_no_digit_in_any_language(value, language):
    text = formats.number_text(value, language=language)

    assert int(re.sub(r"\D", "", text)) == abs(value)
    assert text.startswith(formats.MINUS) == (value < 0)


def test_share_is_a_percentage_with_the_sign_where_the_language_has_it():
    assert formats.percent_text(0.964, language="en") == "96%"
    assert formats.percent_text(0.964, language="ru", decimals=1) == "96,4\u00a0%"


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", "9 November 2026"), ("zh-hans", "2026年11月9日"), ("ru", "9 ноября 2026 г."), ("ur", "9 نومبر، 2026")],
)
def test_date_is_written_in_the_words_of_its_language(language, expected):
    assert formats.day_text(date(2026, 11, 9), language=language) == expected


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (1, "1 минуту назад"),
        (3, "3 минуты назад"),
        (5, "5 минут назад"),
        (11, "11 минут назад"),
        (21, "21 минуту назад"),
    ],
)
def test_russian_counts_minutes_with_the_right_plural(minutes, expected):
    with translation.override("ru"):
        assert corridor_web.since_text(NOW - timedelta(minutes=minutes), now=NOW) == expected


def test_time_since_takes_the_largest_unit_that_fits():
    spans = [timedelta(seconds=30), timedelta(minutes=59), timedelta(hours=23), timedelta(days=8), -timedelta(days=1)]

    texts = [corridor_web.since_text(NOW - span, now=NOW) for span in spans]

    assert texts == ["just now", "59 minutes ago", "23 hours ago", "8 days ago", "just now"]


# Tags


def test_withheld_figure_says_so_with_the_name_of_its_rule():
    text = rendered("{% withheld 5 rule %}", rule="strata below 5")

    assert "&lt;\u00a05" in text
    assert "strata below 5" in text
    assert "0" not in re.sub(r"<[^>]*>", "", text)


def test_missing_figure_is_not_a_zero():
    assert "no data" in rendered("{% number None %}")


def test_text_from_a_partner_is_escaped_and_isolated():
    assert rendered("{% bdi text %}", text="<script>") == '<bdi dir="auto">&lt;script&gt;</bdi>'


def test_card_keeps_the_markup_of_its_body_and_escapes_its_title():
    text = rendered("{% card title=title %}<b>{{ inside }}</b>{% endcard %}", title="<i>", inside="<u>")

    assert "<b>&lt;u&gt;</b>" in text
    assert "&lt;i&gt;" in text


@pytest.mark.parametrize("code", ["PK", "CN", "RU"])
def test_country_has_its_own_name_in_each_language(code):
    names = set()
    for language in formats.CONVENTIONS:
        with translation.override(language):
            names.add(rendered("{% country code %}", code=code))

    assert len(names) == 4


def test_table_shows_each_state_in_words():
    states = [Cell(1, state="incomplete"), Cell(1, state="simulated"), Cell(1, state="alarm"), Cell(state="missing")]
    table = Table(caption="c", columns=[Column("a", "A", kind="number")], rows=[[state] for state in states])

    text = rendered("{% table t %}", t=table)

    for words in ("not yet complete", "simulated", "above the limit", "no data"):
        assert words in text


def test_row_of_another_length_than_the_columns_is_refused():
    with pytest.raises(ValueError, match="columns"):
        Table(caption="c", columns=[Column("a", "A")], rows=[[1, 2]])


def test_sorting_keeps_unknown_values_last_in_both_directions():
    assert [row[0] for row in TABLE.ordered("cases").rows] == ["W02", "W01"]
    assert [row[0] for row in TABLE.ordered("-cases").rows] == ["W02", "W01"]


def test_heading_that_sorts_keeps_the_filters_of_the_address():
    request = RequestFactory().get("/?place=PK&page=3&sort=cases")
    table = Table(caption="c", columns=[Column("cases", "Cases", sortable=True)], rows=[[1]], sort="cases")

    text = Template("{% load corridor_web %}{% table t %}").render(_with_request(request, t=table))

    address = re.search(r'class="sort" href="\?([^"]*)"', text)[1].replace("&amp;", "&")
    assert QueryDict(address).dict() == {"place": "PK", "sort": "-cases"}


def _with_request(request, **values):
    context = Context(values)
    context.request = request
    return context


# Downloads


@given(st.text())
def test_no_cell_of_a_download_begins_like_a_formula(text):
    cell = exports.quoted(text)

    assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_negative_number_stays_a_number():
    assert exports.quoted(-3) == "-3"


def test_download_tells_withheld_from_missing_and_from_zero():
    table = Table(
        caption="c",
        columns=[Column("cases", "Cases", kind="number")],
        rows=[[0], [None], [Cell(state="withheld", below=5)], [Cell(state="withheld")]],
    )

    rows = list(csv.reader(io.StringIO(exports.csv_bytes(table).decode("utf-8-sig"))))

    assert rows == [["cases", "cases_state"], ["0", ""], ["", "missing"], ["<5", "withheld"], ["withheld", "withheld"]]


def test_download_of_simulated_figures_says_so_in_every_row():
    reply = exports.csv_response(TABLE, name="cases", simulated=True)

    rows = list(csv.reader(io.StringIO(reply.content.decode("utf-8-sig"))))
    assert all(row[0] == "SIMULATED" for row in rows)
    assert "SIMULATED" in reply["Content-Disposition"]


def test_name_of_a_download_cannot_break_its_header():
    reply = exports.csv_response(TABLE, name='a"\r\nSet-Cookie: x/../б')

    assert "\r" not in reply["Content-Disposition"]
    assert '"a-Set-Cookie-x' in reply["Content-Disposition"]


# Navigation


def test_person_sees_only_pages_that_their_permissions_open(monkeypatch):
    items = [
        navigation.NavItem("surveillance", "Components", "web:components", "surveillance.see_board"),
        navigation.NavItem("people", "Mine", "web:components", ""),
    ]
    monkeypatch.setattr(navigation, "_items", items)

    assert navigation.groups(frozenset()) == ()
    assert [group.name for group in navigation.groups(frozenset({"surveillance.see_board"}))] == ["surveillance"]
    assert [link.label for link in navigation.personal(frozenset())] == ["Mine"]


def test_page_whose_address_is_not_there_is_left_out(monkeypatch):
    monkeypatch.setattr(navigation, "_items", [navigation.NavItem("surveillance", "Gone", "web:gone", "")])

    assert navigation.groups(frozenset()) == ()


# Charts


def test_colours_of_charts_are_those_of_the_pages():
    light, dark = (STATIC / "tokens.css").read_text(encoding="utf-8").split("prefers-color-scheme: dark")

    for theme, text in (("light", light), ("dark", dark)):
        tokens = dict(re.findall(r"--(\w+): (#\w{6});", text))
        assert {name: tokens[name] for name in chart_theme.COLOURS[theme]} == chart_theme.COLOURS[theme]


def test_picture_of_simulated_figures_says_so_inside():
    vega = chart_render.to_vega(SPEC, theme="light", width="half", language="en", watermark="SIMULATED")

    assert ">SIMULATED</text>" in chart_render.to_svg(vega, theme="light", language="en")


def test_picture_of_real_figures_has_no_such_mark():
    vega = chart_render.to_vega(SPEC, theme="light", width="half", language="en")

    assert "SIMULATED" not in chart_render.to_svg(vega, theme="light", language="en")


def test_each_plot_of_a_composite_is_marked():
    spec = {"hconcat": [SPEC, SPEC]}

    vega = chart_render.to_vega(spec, theme="light", width="half", language="en", watermark="SIMULATED")

    assert chart_render.to_svg(vega, theme="light", language="en").count(">SIMULATED</text>") == 2


def test_mark_takes_the_colour_of_its_meaning():
    vega = chart_render.to_vega(SPEC, theme="dark", width="half", language="en")

    assert chart_theme.COLOURS["dark"]["accent"] in chart_render.to_svg(vega, theme="dark", language="en")


def test_incomplete_periods_are_hatched():
    spec = {**SPEC, "mark": {"type": "bar", "style": "incomplete"}}

    svg = chart_render.to_svg(
        chart_render.to_vega(spec, theme="light", width="half", language="en"), theme="light", language="en"
    )

    assert 'fill="url(#hatch)"' in svg
    assert chart_theme.HATCH not in svg


@pytest.mark.parametrize(("width", "pixels"), chart_render.WIDTHS.items())
def test_picture_is_as_wide_as_its_frame(width, pixels):
    vega = chart_render.to_vega(SPEC, theme="light", width=width, language="en")

    drawn = float(re.search(r'width="([\d.]+)"', chart_render.to_svg(vega, theme="light", language="en"))[1])

    assert abs(drawn - pixels) <= 10


def test_definition_that_fetches_by_address_is_refused():
    spec = {**SPEC, "data": {"url": "http://example.org/data.json"}}

    with pytest.raises(chart_render.ForeignData):
        chart_render.to_vega(spec, theme="light", width="half", language="en")


def test_png_is_a_png():
    vega = chart_render.to_vega(SPEC, theme="light", width="narrow", language="en")

    assert chart_render.to_png(chart_render.to_svg(vega, theme="light", language="en")).startswith(b"\x89PNG")


def test_library_of_interactive_charts_interprets_instead_of_evaluating():
    library = chart_render.interactive_library()

    assert "ast:" in library.replace(" ", "") or "ast:!0" in library
    assert len(gzip.compress(library.encode())) < 350_000


def test_same_chart_has_the_same_address_and_another_figure_another(kept):
    again = charts.frame(
        SPEC,
        title="Cases",
        description="Two weeks.",
        table=TABLE,
        permission="accounts.see_audit",
        request=RequestFactory().get("/"),
        simulated=True,
    )
    other = charts.frame(
        {**SPEC, "height": 101},
        title="Cases",
        description="Two weeks.",
        table=TABLE,
        permission="accounts.see_audit",
        request=RequestFactory().get("/"),
        simulated=True,
    )

    assert again.digest == kept.digest
    assert other.digest != kept.digest


def test_cache_is_readable_by_the_node_alone(kept):
    modes = {path.stat().st_mode & 0o077 for path in [chart_store.folder(), *chart_store.folder().iterdir()]}

    assert modes == {0}


def test_unused_pictures_are_swept_and_fresh_ones_stay(kept):
    later = datetime.now(UTC) + chart_store.KEPT_FOR

    assert chart_store.sweep(now=datetime.now(UTC)) == 0
    assert chart_store.sweep(now=later + timedelta(minutes=1)) == 1


@pytest.mark.django_db
def test_picture_asks_for_the_permission_of_its_page(kept):
    with pytest.raises(NotPermitted):
        charts.readable_chart(kept.digest, actor=person("nobody", "epidemiologist"))

    record = charts.readable_chart(kept.digest, actor=person("reader", "auditor"))
    assert charts.picture(record, kept.digest, theme="light", width="half", form="svg").data.startswith(b"<svg")


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["svg", "csv", "table"])
def test_files_of_a_chart_are_closed_to_others(kept, client, kind):
    addresses = {
        "svg": charts.picture_url(kept.digest, theme="light", width="half", form="svg"),
        "csv": f"/web/charts/{kept.digest}.csv",
        "table": f"/web/charts/{kept.digest}/table",
    }

    unknown = client.get(addresses[kind]).status_code
    client.force_login(person("nobody", "epidemiologist"))
    refused = client.get(addresses[kind]).status_code
    client.force_login(person("reader", "auditor"))
    allowed = client.get(addresses[kind]).status_code

    assert (unknown, refused, allowed) == (302, 403, 200)


@pytest.mark.django_db
def test_address_of_a_chart_that_is_not_kept_is_not_found(client):
    client.force_login(person("reader", "auditor"))

    for digest in ("0" * 40, "x" * 40, "short"):
        assert client.get(charts.picture_url(digest, theme="light", width="half", form="svg")).status_code == 404
        assert client.get(f"/web/charts/{digest}.csv").status_code == 404
        assert client.get(f"/web/charts/{digest}/table").status_code == 404


@pytest.mark.django_db
def test_picture_may_run_nothing(kept, client):
    client.force_login(person("reader", "auditor"))

    reply = client.get(charts.picture_url(kept.digest, theme="light", width="half", form="svg"))

    assert "script-src" not in reply["Content-Security-Policy"]
    assert reply["Content-Security-Policy"].startswith("default-src 'none'")


def test_prerendering_makes_what_a_page_asks_for(kept):
    assert charts.prerender(kept.digest) == 6
    assert chart_store.rendering(kept.digest, "dark.narrow.svg") is not None


class Beats:
    """Stands in for the job that a task works on, and counts its reports."""

    id = 1
    attempt = 1

    def __init__(self) -> None:
        self.reports: list[tuple[int, int]] = []

    def heartbeat(self, done: int, of: int) -> None:
        self.reports.append((done, of))


def test_jobs_render_pictures_ahead_and_sweep_old_ones(kept):
    job = Beats()

    registry.task_of("web.render_chart").run(arguments={"digest": kept.digest}, now=NOW, job=job)
    registry.task_of("web.sweep_charts").run(arguments={}, now=datetime.now(UTC) + timedelta(days=40), job=job)

    assert job.reports == [(6, 6), (7, 7)]
    assert any(each.kind == "web.sweep_charts" for each in registry.recurrences())


def test_an_uploaded_file_is_opened_by_its_person_for_its_purpose_alone_and_is_swept_after_two_hours(
    settings, tmp_path
):
    settings.CORRIDOR_HOME = tmp_path
    kept = uploads.keep(b"a,b", person_id=1, purpose="surveillance", name="a.csv", answers={"kind": "counts"})
    job, sweep = Beats(), registry.task_of("web.sweep_uploads")

    assert uploads.open_file(kept.token, person_id=1, purpose="surveillance").data == b"a,b"
    for person_id, purpose, token in ((2, "surveillance", kept.token), (1, "research:x", kept.token), (1, "", "../a")):
        with pytest.raises(uploads.NoSuchUpload):
            uploads.open_file(token, person_id=person_id, purpose=purpose)
    sweep.run(arguments={}, now=datetime.now(UTC) + timedelta(minutes=119), job=job)
    sweep.run(arguments={}, now=datetime.now(UTC) + timedelta(minutes=121), job=job)

    assert job.reports == [(0, 0), (1, 1)]
    assert list((tmp_path / "uploads").iterdir()) == []
    assert any(each.kind == "web.sweep_uploads" for each in registry.recurrences())


# Maps


def test_map_writes_the_names_of_countries_in_the_language_of_the_page(settings, tmp_path):
    settings.CORRIDOR_HOME = tmp_path
    with translation.override("ur"):
        frame = maps.frame(
            {**SPEC, "layer": []},
            title="t",
            description="d",
            table=TABLE,
            permission="accounts.act",
            request=RequestFactory().get("/"),
            countries=["PK"],
        )

    assert "پاکستان" in json.dumps(chart_store.record(frame.digest).spec, ensure_ascii=False)


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"features": [{"geometry": {"type": "Point", "coordinates": [1, 2]}}]}', '{"features": [7]}'],
)
def test_boundary_file_that_cannot_be_drawn_is_refused_with_what_to_do(settings, tmp_path, content):
    settings.CORRIDOR_HOME = tmp_path
    (tmp_path / maps.BOUNDARY_FILE).write_text(content, encoding="utf-8")

    with pytest.raises(maps.BadBoundaries, match=r"boundaries\.geojson"):
        maps.ground((60, 20, 80, 40))


def test_outlines_keep_their_shape_and_lose_their_properties(settings, tmp_path):
    settings.CORRIDOR_HOME = tmp_path
    line = {"type": "LineString", "coordinates": [[70, 30], [71, 31]]}
    content = {"features": [{"type": "Feature", "geometry": line, "properties": {"name": "x", "url": "http://x"}}]}
    (tmp_path / maps.BOUNDARY_FILE).write_text(json.dumps(content), encoding="utf-8")

    ground = maps.ground((60, 20, 80, 40))

    assert ground.style == "outline"
    assert json.loads(json.dumps(ground.features)) == [{"type": "Feature", "properties": {}, "geometry": line}]


def test_map_of_a_node_without_outlines_of_its_own_shows_the_land_within_its_stretch(settings, tmp_path):
    settings.CORRIDOR_HOME = tmp_path
    west, south, east, north = box = (65.0, 25.0, 80.0, 40.0)

    ground = maps.ground(box)

    assert ground.style == "land"
    points = [point for each in ground.features for ring in each["geometry"]["coordinates"] for point in ring]
    assert len(points) > 50
    assert all(west <= lon <= east and south <= lat <= north for lon, lat in points)


def _square(size, *, clockwise=False):
    ring = [[0, 0], [size, 0], [size, size], [0, size], [0, 0]]
    return ring[::-1] if clockwise else ring


def _area(ring):
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring)) / 2


@pytest.mark.parametrize("clockwise", [False, True])
def test_area_is_cut_to_the_stretch_and_wound_as_the_sphere_reads_it(clockwise):
    hole = [[1, 1], [3, 1], [3, 3], [1, 3], [1, 1]]
    area = {"geometry": {"type": "Polygon", "coordinates": [_square(10, clockwise=clockwise), hole]}}

    (feature,) = outlines.clipped([area], (-5, -5, 2, 8))
    outer, inner = feature["geometry"]["coordinates"]

    assert (_area(outer), _area(inner)) == (-16, 2)
    assert outlines.clipped([area], (20, 20, 30, 30)) == []


def test_line_that_leaves_the_stretch_and_comes_back_is_cut_in_two():
    line = {"geometry": {"type": "LineString", "coordinates": [[-4, 1], [1, 1], [1, 6], [3, 6], [3, 1]]}}

    parts = outlines.clipped([line], (0, 0, 4, 4))

    assert [part["geometry"]["coordinates"] for part in parts] == [[(0, 1), (1, 1), (1, 4)], [(3, 4), (3, 1)]]


# Pages about faults


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "zh-hans", "ru", "ur"])
@pytest.mark.parametrize("name", ["400.html", "403.html", "403_csrf.html", "404.html", "500.html"])
def test_page_about_a_fault_says_what_to_do_in_each_language(name, language):
    from django.template.loader import render_to_string

    with translation.override(language):
        text = render_to_string(name, {}, RequestFactory().get("/"))

    assert f'lang="{language}"' in text
    assert 'class="card"' in text


@pytest.mark.django_db
def test_language_can_be_chosen_without_an_account_and_never_leads_elsewhere(client, settings):
    reply = client.post("/web/language", {"language": "ru", "next": "https://example.org/"})

    assert reply.headers["Location"] == "/"
    assert reply.cookies[settings.LANGUAGE_COOKIE_NAME].value == "ru"


@pytest.mark.django_db
def test_unknown_language_changes_nothing(client, settings):
    reply = client.post("/web/language", {"language": "xx", "next": "/web/components"})

    assert settings.LANGUAGE_COOKIE_NAME not in reply.cookies


@pytest.mark.django_db
def test_components_page_has_nothing_inline_that_a_content_policy_would_block(client):
    client.force_login(person("reader", "auditor"))

    text = client.get("/web/components").content.decode()

    assert re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text) is None
