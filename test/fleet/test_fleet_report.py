"""The report in a real browser, from the disk and without a network."""

import shutil
import time

import pytest

from coarse_loftr_ros.commands import cli

webdriver = pytest.importorskip(
    "selenium.webdriver", reason="Selenium is not installed (make test has it)"
)


@pytest.fixture(scope="module")
def report(garage, tmp_path_factory):
    """Of recordings of every kind under two settings; alone in a folder."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "all.yaml").write_text("")
    (folder / "few.yaml").write_text("max_matches: 30\n")
    settings = [x for name in ("all", "few") for x in ("--settings", str(folder / f"{name}.yaml"))]
    code = cli.main(["fleet", str(garage), "-o", str(folder / "out"), "--workers", "0", *settings])
    assert code == 1
    alone = folder / "alone.html"
    shutil.copy(folder / "out" / "index.html", alone)
    return alone


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("there is no Chromium with its driver (apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield driver
    driver.quit()


def open_page(browser, page, fragment=""):
    browser.get("about:blank")
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(page.as_uri() + fragment)
    until(browser, "document.documentElement.dataset.ready")


def until(browser, condition):
    end = time.monotonic() + 20
    while not browser.execute_script(f"return Boolean({condition})"):
        assert time.monotonic() < end, condition
        time.sleep(0.05)


def column(browser, name):
    return browser.execute_script(
        """const heads = [...document.querySelectorAll('#recordings thead th')];
        const at = heads.findIndex((head) => head.dataset.column === arguments[0]);
        const rows = [...document.querySelectorAll('#recordings tbody tr')];
        return rows.map((row) => row.cells[at].textContent)""",
        name,
    )


def click(browser, name):
    button = browser.find_element("css selector", f'#recordings th[data-column="{name}"] button')
    browser.execute_script("arguments[0].scrollIntoView({inline: 'center'})", button)
    button.click()


def scroll_through(browser):
    browser.execute_script("window.scrollTo(0, document.body.scrollHeight)")


def test_it_loads_without_errors_and_asks_for_nothing(browser, report):
    open_page(browser, report)
    for plot in ("comparison-plot", "calibration-plot"):
        browser.execute_script("document.getElementById(arguments[0]).scrollIntoView()", plot)
        until(browser, f"document.querySelector('#{plot} .main-svg')")
    assert [line for line in browser.get_log("browser") if line["level"] != "INFO"] == []
    requests = [
        line["message"]
        for line in browser.get_log("performance")
        if "Network.requestWillBeSent" in line["message"] and '"url":"http' in line["message"]
    ]
    assert requests == []


def test_its_table_is_sorted_and_filtered(browser, report):
    open_page(browser, report)
    assert len(column(browser, "recording")) == 14
    click(browser, "inliers")
    values = [float(text) for text in column(browser, "inliers") if text]
    assert len(values) == 6 and values == sorted(values, reverse=True)
    assert column(browser, "inliers")[-1] == ""  # without a value: at the end
    click(browser, "inliers")
    assert [float(text) for text in column(browser, "inliers") if text] == sorted(values)
    click(browser, "recording")
    assert column(browser, "recording")[0] == "damaged"
    assert any(reason.startswith("is neither a recording") for reason in column(browser, "reason"))
    browser.find_element("css selector", "input[type=search]").send_keys("MONDAY")
    assert set(column(browser, "recording")) == {"monday-flight"}


def test_its_pictures_are_there(browser, report):
    open_page(browser, report)
    scroll_through(browser)
    until(browser, "[...document.querySelectorAll('#moments img')].every((i) => i.complete)")
    widths = browser.execute_script(
        "return [...document.querySelectorAll('#moments img')].map((i) => i.naturalWidth)"
    )
    assert len(widths) >= 3 and min(widths) >= 600


def test_a_recording_has_a_page_whose_plots_answer_to_the_mouse(browser, report):
    open_page(browser, report)
    browser.find_element("link text", "sequence").click()
    until(browser, "document.querySelector('#time-plot .main-svg')")
    until(browser, "document.querySelector('#path-plot .main-svg')")
    names = browser.execute_script(
        "return document.getElementById('time-plot').data.map(d => d.name)"
    )
    assert names == ["all", "few"] * 3  # inliers, coverage, rows
    browser.execute_script(
        "Plotly.Fx.hover('time-plot', [{curveNumber: 0, pointNumber: 3}], ['xy'])"
    )
    until(browser, "document.querySelector('#time-plot .hoverlayer text')")
    browser.back()
    until(browser, "!document.getElementById('fleet').hidden")
    assert [
        line for line in browser.get_log("browser") if "recordings/" not in line["message"]
    ] == []


def test_a_link_leads_to_a_recording_that_cannot_be_used(browser, report):
    open_page(browser, report, "#noise")
    assert "neither a recording" in browser.find_element("id", "recording").text


def test_it_fits_a_phone(browser, report):
    size = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for fragment in ("", "#sequence"):
        open_page(browser, report, fragment)
        scroll_through(browser)
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_what_recordings_are_called_is_never_markup(browser, flight_bag, tmp_path):
    source = tmp_path / "<img src=x onerror=document.title='bad'>"
    source.mkdir()
    shutil.copy(flight_bag, source / "a.mcap")
    code = cli.main(["fleet", str(source), "-o", str(tmp_path / "out"), "--workers", "0"])
    assert code == 0
    open_page(browser, tmp_path / "out" / "index.html", "#a")
    assert browser.title == "Fleet report"
    assert "onerror" in browser.find_element("id", "recording").text
