// Looks at the dashboard of a real `churn serve` in a real browser, as people do:
// every page by day and by night, on a desk and on a phone, with and without
// scripts. Usage: node test.mjs CHURN [SCREENSHOT-FOLDER]
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

const churn = resolve(process.argv[2]);
const shots = process.argv[3] && resolve(process.argv[3]);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const dir = mkdtempSync(join(tmpdir(), "churn-browser-"));

const run = (...args) => execFileSync(churn, ["--log-level", "error", ...args], { cwd: dir, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

// world makes what the pages show: models, several snapshots, and drift reports
// where this build can make them.
function world() {
  run("run-all");
  const other = ["--set", "train.models=logistic", "--set", "train.logistic.l2_regularization=7"];
  run(...other, "train");
  run(...other, "promote", "--force", "--reason", "so that there is a way back");
  run("report");
  const last = JSON.parse(run("--json", "score")).as_of_date;
  const before = (days) => new Date(Date.parse(last) - days * 86400e3).toISOString().slice(0, 10);
  for (const date of [before(14), before(7), last]) {
    run("score", "--as-of", date);
    try {
      execFileSync(churn, ["--log-level", "error", "monitor", "drift", "--as-of", date], { cwd: dir, stdio: "ignore" });
    } catch (e) {
      if (![2, 64].includes(e.status)) throw e; // an alarm, or an older build without the command
    }
  }
}

// serve starts the server with two keys and waits for its first snapshot.
async function serve() {
  const [admin, reader] = ["read,admin", "read"].map((scopes) => JSON.parse(run("--json", "key", "new", "--scopes", scopes, scopes === "read" ? "reader" : "boss")));
  const child = spawn(churn, ["--json", "--log-level", "warn", "--set", "serve.address=127.0.0.1:0", "--set", "serve.drain_delay=0s", "serve"], {
    cwd: dir, env: { ...process.env, CHURN_API_KEYS: `${admin.line};${reader.line}` }, stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  for await (const chunk of child.stdout) {
    text += chunk;
    if (text.includes("}")) break;
  }
  const url = JSON.parse(text).url;
  const api = async (path, key = admin.key) => fetch(url + path, { headers: { Authorization: `Bearer ${key}` }, redirect: "manual" });
  for (let i = 0; (await api("/users")).status !== 200 || (await (await api("/snapshots")).json()).snapshots.length < 3; i++) {
    assert(i < 300, "the server has no users, or no history");
    await new Promise((done) => setTimeout(done, 100));
  }
  return { child, url, api, admin: admin.key, reader: reader.key };
}

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const sizes = { desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

// watched returns a page that notes everything that must not happen.
async function watched(browser, server, options = {}) {
  const context = await browser.newContext({ viewport: sizes.desk, httpCredentials: { username: "anybody", password: options.key ?? server.admin }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && faults.push(`console: ${m.text()} ${m.location().url}`));
  page.on("pageerror", (e) => faults.push(`script: ${e.message}`));
  page.on("requestfailed", (r) => !r.failure().errorText.includes("ERR_ABORTED") && faults.push(`failed: ${r.url()} ${r.failure().errorText}`));
  context.on("request", (r) => new URL(r.url()).origin !== server.url && !r.url().startsWith("data:") && faults.push(`leaves the host: ${r.url()}`));
  page.on("response", (r) => r.status() >= 400 && r.status() !== 401 && faults.push(`${r.status()}: ${r.url()}`));
  return { page, faults, go: (path) => page.goto(server.url + path), end: async () => { await context.close(); assert.deepEqual(faults.filter((f) => !f.includes("401")), []); } };
}

// accessible fails on what axe finds against WCAG 2 A and AA.
async function accessible(page, what) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  assert.deepEqual(found.violations.map((v) => `${what}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`), []);
}

async function looks(browser, server, users) {
  const paths = { overview: "/", list: "/at-risk", user: `/user?id=${users[0].user_id}`, model: "/model-card", drift: "/drift", interface: "/docs", nobody: "/at-risk?search=nobody-is-called-this" };
  for (const [size, viewport] of Object.entries(sizes)) {
    for (const colorScheme of ["light", "dark"]) {
      const w = await watched(browser, server, { viewport, colorScheme });
      for (const [name, path] of Object.entries(paths)) {
        const what = `${name}, ${size}, ${colorScheme}`;
        assert.equal((await w.go(path)).status(), 200, what);
        await w.page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
        await accessible(w.page, what);
        assert.equal(await w.page.evaluate(() => Math.max(document.documentElement.scrollWidth - innerWidth, 0)), 0, `${what}: wider than the screen`);
        if (shots) await w.page.screenshot({ path: join(shots, `${name}-${size}-${colorScheme}.png`), fullPage: true });
      }
      await w.end();
    }
  }
}

// ids are those of the users that a page lists.
const ids = (page) => page.locator("table.users tbody .id a").allTextContents();

async function list(browser, server) {
  const w = await watched(browser, server);
  const asked = async (query) => (await (await server.api("/users?" + query)).json());
  const settled = async (query) => {
    const want = await asked(query + "&limit=50");
    await w.page.waitForFunction((n) => document.querySelector("#list [role=status] b")?.textContent.replace(/\D/g, "") === String(n) && !document.querySelector("#list[aria-busy]"), want.total);
    assert.deepEqual(await ids(w.page), want.users.map((u) => u.user_id), query);
    return want;
  };
  await w.go("/at-risk");
  await w.page.evaluate(() => (globalThis.same = true)); // gone if the page is loaded anew
  const all = await settled("sort=risk");
  const target = all.users[7].user_id;
  await w.page.fill("input[name=search]", target.slice(0, 2));
  await settled(`search=${target.slice(0, 2)}`);
  assert.equal(new URL(w.page.url()).searchParams.get("search"), target.slice(0, 2));
  await w.page.click(".sorts a:text('Last active')");
  await settled(`search=${target.slice(0, 2)}&sort=last_activity`);
  await w.page.fill("input[name=search]", "");
  await settled("sort=last_activity");
  await w.page.selectOption("select[name=tier]", "medium");
  const medium = await settled("sort=last_activity&tier=medium");
  await w.page.selectOption("select[name=plan]", { index: 1 });
  const plan = await w.page.inputValue("select[name=plan]");
  await settled(`sort=last_activity&tier=medium&plan=${plan}`);
  await w.page.selectOption("select[name=plan]", "");
  await settled("sort=last_activity&tier=medium");
  await w.page.click(".sorts a:text('Risk')");
  await settled("tier=medium");
  await w.page.click(".pager a:text('Next page')");
  await w.page.waitForURL(/cursor=/);
  const second = await asked(`tier=medium&limit=50&cursor=${(await asked("tier=medium&limit=50")).next_cursor}`);
  assert.deepEqual(await ids(w.page), second.users.map((u) => u.user_id));
  assert.equal(await w.page.evaluate(() => globalThis.same), true, "searching, sorting or turning a page has loaded the page anew");
  const [download] = await Promise.all([w.page.waitForEvent("download"), w.page.click("#list a:text('as CSV')")]);
  const lines = readFileSync(await download.path(), "utf8").trim().split("\n");
  assert.equal(lines.length, 1 + medium.total);
  assert.match(lines[0], /^user_id,as_of_date,/);
  assert(lines.slice(1).every((l) => l.includes(",medium,")), "the export is of another selection");
  assert.match(download.suggestedFilename(), /^churn_at_risk_\d{4}-\d\d-\d\d\.csv$/);
  await w.end();
}

async function user(browser, server) {
  const w = await watched(browser, server);
  await w.go("/");
  const [first] = await ids(w.page);
  await w.page.click("table.users .id a");
  await w.page.waitForSelector(`h1:text-is("User ${first}")`);
  const plots = w.page.locator(".plot");
  assert.equal(await plots.count(), 2, "activity and risk");
  assert(await w.page.locator(".plot rect").count() > 0, "no activity is drawn");
  for (const plot of await plots.all()) {
    await plot.scrollIntoViewIfNeeded();
    await w.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))); // a tip goes when the page scrolls, which is told a frame later
    await plot.hover();
    assert.match(await w.page.textContent("#tip:not([hidden])"), /\d{4}: /);
  }
  assert(await w.page.locator(".factors li").count() > 0, "no reasons");
  assert(await w.page.locator(".remedies tbody tr").count() > 1, "nothing that would lower it");
  await w.end();
}

async function drift(browser, server) {
  const w = await watched(browser, server);
  await w.go("/drift");
  const feature = w.page.locator("table.drift tbody th a").last();
  if (await feature.count() === 0) {
    assert.match(await w.page.textContent("main"), /churn monitor drift/);
  } else {
    await w.page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
    const index = async () => (await w.page.locator("table.drift").last().locator("tbody td:nth-child(3)").evaluateAll((cells) => cells.map((c) => Number(c.dataset.value))));
    await w.page.locator("table.drift").last().locator("thead button:text('Index')").click();
    const sorted = await index();
    assert.deepEqual(sorted, sorted.toSorted((a, b) => b - a));
    const name = await feature.textContent();
    await feature.click();
    await w.page.waitForSelector(`#feature h2:text-is("${name}")`);
  }
  await w.end();
}

// withoutScripts uses the pages as they are without JavaScript.
async function withoutScripts(browser, server) {
  const w = await watched(browser, server, { javaScriptEnabled: false });
  await w.go("/");
  assert.equal((await ids(w.page)).length, 10);
  assert(await w.page.locator(".plot rect").count() > 0, "the trend is not drawn");
  await w.go("/at-risk");
  await w.page.selectOption("select[name=tier]", "high");
  await w.page.click("button:text('Show')");
  await w.page.click(".sorts a:text('User')");
  const want = await (await server.api("/users?tier=high&sort=user_id&limit=50")).json();
  assert.deepEqual(await ids(w.page), want.users.map((u) => u.user_id));
  await w.go("/at-risk");
  await w.page.click(".pager a:text('Next page')");
  const first = await (await server.api("/users?limit=50")).json();
  const second = await (await server.api(`/users?limit=50&cursor=${first.next_cursor}`)).json();
  assert.deepEqual(await ids(w.page), second.users.map((u) => u.user_id));
  await w.page.click("table.users .id a");
  assert(await w.page.locator(".plot").count() > 0, "the page about a user is not drawn");
  await w.end();
}

async function rollBack(browser, server) {
  const reader = await watched(browser, server, { key: server.reader });
  await reader.go("/model-card");
  assert.equal(await reader.page.locator("form.rollback").count(), 0, "who may only read is offered the form");
  await reader.end();
  const w = await watched(browser, server);
  await w.go("/model-card");
  const to = await w.page.inputValue("form.rollback select");
  w.page.once("dialog", (d) => d.accept());
  await w.page.fill("form.rollback input[name=reason]", "the browser test");
  await w.page.click("form.rollback button");
  await w.page.waitForSelector(`h1:text-is("Model ${to}")`);
  assert.match(await w.page.textContent("table.moves tbody tr:first-child"), /rollback.*the browser test/s);
  await w.end();
}

async function refused(server) {
  const answer = await fetch(server.url + "/", { headers: { Accept: "text/html" } });
  assert.equal(answer.status, 401);
  assert.match(answer.headers.get("www-authenticate"), /Basic/);
}

if (shots) mkdirSync(shots, { recursive: true });
let server, browser;
try {
  world();
  server = await serve();
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags });
  const { users } = await (await server.api("/users?limit=10")).json();
  for (const [what, test] of Object.entries({ refused: () => refused(server), looks: () => looks(browser, server, users), list: () => list(browser, server), user: () => user(browser, server),
    drift: () => drift(browser, server), withoutScripts: () => withoutScripts(browser, server), rollBack: () => rollBack(browser, server) })) {
    await test();
    console.log("ok", what);
  }
} finally {
  await browser?.close();
  if (server) {
    const ended = new Promise((done) => server.child.once("exit", done));
    server.child.kill("SIGTERM");
    await ended;
  }
  rmSync(dir, { recursive: true, force: true });
}
