//! A headless Chromium, spoken to by its driver: WebDriver is JSON over HTTP, and the few commands are here.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::cli_sandbox::until;

/// The driver, and the browser that it started; both end with this.
pub(crate) struct Browser {
    driver: Child,
    _profile: TempDir,
    client: reqwest::Client,
    session: String,
}

/// A browser, or why there is none: `NOT RUN` is printed, or with `KUBECLASH_REQUIRE_BROWSER=1` the test fails.
pub(crate) async fn browser(what: &str) -> Option<Browser> {
    match Browser::open().await {
        Ok(browser) => Some(browser),
        Err(why) => {
            crate::cli_sandbox::not_run(what, &why, "KUBECLASH_REQUIRE_BROWSER");
            None
        }
    }
}

/// What a browser must not do by itself: what is seen to leave is the page's then.
const QUIET: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    // What is scrolled to is there at once.
    "--force-prefers-reduced-motion",
    "--window-size=1280,900",
];

impl Browser {
    async fn open() -> Result<Self, String> {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|e| format!("there is no chromedriver: {e}"))?;
        let said = BufReader::new(driver.stdout.take().unwrap());
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut browser = Self {
            driver,
            _profile: tempfile::tempdir().unwrap(),
            client: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(60))
                .build()
                .unwrap(),
            session: String::new(),
        };
        let port = port.ok_or("chromedriver did not start")?;
        let profile = format!("--user-data-dir={}", browser._profile.path().display());
        let args: Vec<&str> = QUIET.into_iter().chain([profile.as_str()]).collect();
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": args},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        browser.session = format!("http://127.0.0.1:{port}/session");
        let opened = browser.post("", &capabilities).await?;
        let id = opened["sessionId"].as_str().ok_or("no session")?;
        browser.session = format!("{}/{id}", browser.session);
        Ok(browser)
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let request = self.client.post(format!("{}{path}", self.session));
        let answer = request
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = answer.send().await.map_err(|e| format!("{path}: {e}"))?;
        let text = answer.text().await.map_err(|e| format!("{path}: {e}"))?;
        let mut answer: Value = serde_json::from_str(&text).map_err(|e| format!("{path}: {e}: {text}"))?;
        let value = answer["value"].take();
        match value.get("error") {
            Some(error) => Err(format!("{path}: {error}: {}", value["message"])),
            None => Ok(value),
        }
    }

    async fn ask(&self, path: &str, body: Value) -> Value {
        self.post(path, &body).await.unwrap_or_else(|e| panic!("{e}"))
    }

    /// Loads a page.
    pub(crate) async fn go(&self, file: &Path, hash: &str) {
        self.ask("/url", json!({"url": format!("file://{}{hash}", file.display())}))
            .await;
    }

    /// What a function's body returns, run in the page.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.ask("/execute/sync", json!({"script": script, "args": []}))
            .await
    }

    /// Calls a function of the DevTools protocol.
    pub(crate) async fn tools(&self, command: &str, params: Value) -> Value {
        self.ask("/goog/cdp/execute", json!({"cmd": command, "params": params}))
            .await
    }

    /// The size of the screen, as of a phone where it is narrow.
    pub(crate) async fn screen(&self, width: u32, height: u32) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.tools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// What the system prefers: `light` or `dark`.
    pub(crate) async fn prefer(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.tools("Emulation.setEmulatedMedia", features).await;
    }

    /// A key, pressed and let go.
    pub(crate) async fn key(&self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.tools("Input.dispatchKeyEvent", json!({"type": kind, "key": key}))
                .await;
        }
    }

    /// All that the console got since the last call.
    pub(crate) async fn console(&self) -> Vec<String> {
        let entries = self.ask("/se/log", json!({"type": "browser"})).await;
        let entries = entries.as_array().unwrap().iter();
        entries.map(|entry| entry["message"].to_string()).collect()
    }

    /// The addresses of all requests since the last call but those of the browser's own pages, such as a new tab's.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let entries = self.ask("/se/log", json!({"type": "performance"})).await;
        let entries = entries.as_array().unwrap().iter();
        let messages = entries
            .map(|entry| -> Value { serde_json::from_str(entry["message"].as_str().unwrap()).unwrap() });
        let own = |params: &Value| {
            let document = params["documentURL"].as_str();
            document.is_some_and(|url| url.starts_with("chrome://"))
        };
        messages
            .filter(|entry| entry["message"]["method"] == "Network.requestWillBeSent")
            .filter(|entry| !own(&entry["message"]["params"]))
            .map(|entry| {
                entry["message"]["params"]["request"]["url"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }

    /// A picture of what is on the screen, kept in `target/report/`.
    pub(crate) async fn shoot(&self, name: &str) {
        let shot = self
            .tools("Page.captureScreenshot", json!({"format": "png"}))
            .await;
        let png = base64::engine::general_purpose::STANDARD
            .decode(shot["data"].as_str().unwrap())
            .unwrap();
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("report");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(name), png).unwrap();
    }
}

impl Drop for Browser {
    /// Ends the driver and with it the browser: both are in its group, or below it.
    fn drop(&mut self) {
        let group = Pid::from_raw(self.driver.id().cast_signed());
        let _ = killpg(group, Signal::SIGTERM);
        until("the driver's end", || self.driver.try_wait().unwrap());
        let _ = killpg(group, Signal::SIGKILL);
    }
}

/// Every text with the contrast to what it stands on, where that is below WCAG's 4.5.
pub(crate) const PALE: &str = r"
    const rgb = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
        .map((c) => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
    const back = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = rgb(getComputedStyle(at).backgroundColor);
            if (colour.length === 3 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const pale = new Set();
    for (const element of document.querySelectorAll('body *')) {
        if (!element.checkVisibility() || ![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
        const style = getComputedStyle(element);
        const ink = light(rgb(element.namespaceURI.endsWith('svg') ? style.fill : style.color));
        const ground = light(back(element));
        const contrast = (Math.max(ink, ground) + .05) / (Math.min(ink, ground) + .05);
        if (contrast < 4.5) pale.add(`${element.tagName}.${element.getAttribute('class')}: ${contrast.toFixed(2)}`);
    }
    return [...pale]";
