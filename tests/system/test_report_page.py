"""The report's page in a browser: light and dark, wide and narrow."""

from dataclasses import replace

import pytest
from support.reports import report
from support.snapshots import faces

from holoflow.report.page import write_html

pytestmark = pytest.mark.browser

EVIL = "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"


@pytest.fixture
def shown(browser, tmp_path):
    """Open the page of a snapshot in a tab of some width."""

    def open_page(snapshot, *, width=1280, scheme="light", **others):
        file = write_html(tmp_path, report(snapshot, **others))
        page = browser.page()
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        page.call("Emulation.setEmulatedMedia", features=media)
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        page.open(file.as_uri())
        return page

    return open_page


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_drawn_without_a_complaint_and_never_wider_than_its_page(shown, scheme, width):
    page = shown(faces(), width=width, scheme=scheme)
    assert page.complaints == []
    assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
    back = page.run("getComputedStyle(document.body).backgroundColor")
    assert back == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(13, 17, 23)")
    graph = ".tall" if width < 700 else ".wide"
    assert page.run(f"document.querySelector('{graph} .graph').getBoundingClientRect().height > 50")
    assert page.run(
        "[...document.querySelectorAll('rect.column')].every((r) => getComputedStyle(r).fill"
        " !== 'rgb(0, 0, 0)')"
    )


def test_it_loads_nothing(shown):
    page = shown(faces())
    assert page.run("performance.getEntriesByType('resource').length") == 0


def test_names_run_nothing(shown):
    evil = replace(
        faces(),
        app=EVIL,
        operators=tuple(replace(o, name=EVIL + o.name, type=EVIL) for o in faces().operators),
    )
    page = shown(evil, failure=EVIL, outcome="failed", options={EVIL: EVIL})
    assert page.run("document.title") == f"{EVIL}: report of a run"
    assert page.run("document.querySelectorAll('script, img').length") == 0
