"""Headless Chromium, driven by its DevTools protocol: a page is opened, looked at and used as a reader does."""

import base64
import json
import shutil
import subprocess
from contextlib import contextmanager

import pytest
from websockets.sync.client import connect

BINARIES = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Tab:
    """One tab.

    Attributes:
        faults: Messages of the console that are errors, and exceptions that nothing caught.
        requests: Addresses of everything that was asked for.
    """

    def __init__(self, socket):
        self._socket, self._sent = socket, 0
        self._session = None
        self.faults, self.requests = [], []

    def attach(self):
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **parameters):
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == self._sent:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def _note(self, event):
        facts = event.get("params", {})
        if event["method"] == "Runtime.exceptionThrown":
            self.faults.append(facts["exceptionDetails"]["text"])
        elif event["method"] == "Log.entryAdded" and facts["entry"]["level"] == "error":
            self.faults.append(facts["entry"]["text"])
        elif event["method"] == "Runtime.consoleAPICalled" and facts["type"] == "error":
            self.faults.append(str(facts["args"]))
        elif event["method"] == "Network.requestWillBeSent":
            self.requests.append(facts["request"]["url"])

    def open(self, address, *, width=1280, height=900, dark=False, scripts=True):
        """Open a page in a window of some size."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.send("Emulation.setEmulatedMedia", features=scheme)
        self.send("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.send("Page.navigate", url=address)
        while self.run("document.readyState") != "complete" or self.run("location.href") == "about:blank":
            pass

    def run(self, expression, *, inside=False):
        """Return the value of an expression of JavaScript, or of what it promises; inside the page's frame if asked."""
        where = {}
        if inside:
            [frame] = self.send("Page.getFrameTree")["frameTree"]["childFrames"]
            world = self.send("Page.createIsolatedWorld", frameId=frame["frame"]["id"])
            where = {"contextId": world["executionContextId"]}
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, **where)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def picture(self):
        """Return the whole page as a PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def pdf(self):
        """Return the page as it prints."""
        return base64.b64decode(self.send("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])


@contextmanager
def chromium(profile):
    """Give a tab of a browser that reaches no network."""
    binary = next(filter(None, map(shutil.which, BINARIES)), None)
    if binary is None:
        pytest.skip("no Chromium on this machine")
    command = [binary, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
               "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-port=0",
               # A sandboxed frame in a process of its own would be another target of the protocol.
               "--disable-features=IsolateSandboxedIframes",
               f"--user-data-dir={profile}", "about:blank"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as browser:
        try:
            lines = iter(browser.stderr.readline, "")
            address = next(line for line in lines if "DevTools listening on" in line).split()[-1]
            with connect(address, max_size=None, proxy=None) as socket:
                tab = Tab(socket)
                tab.attach()
                yield tab
        finally:
            browser.terminate()
