"""What the tests in a browser share: how it is started, and what its console has said."""

# Without a window; it asks nothing, keeps nothing and calls nobody.
CHROMIUM_OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,900", "--no-first-run"]
CHROMIUM_OPTIONS += ["--disable-quic", "--disable-background-networking", "--disable-component-update"]
CHROMIUM_OPTIONS += ["--disable-sync"]
SECONDS = 20  # that a picture may take


def console_errors(browser):
    """What the console has had of errors, exceptions and files that were not found, since it was asked last."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
